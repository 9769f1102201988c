/* Strings, and messages made of them. */

#include <assize.h>
#include <stdarg.h>
#include <stdlib.h>

#include "inside.h"

size_t assize_find(assize_str whole, assize_str part, size_t from) {
    if (part.len == 0 || part.len > whole.len) return ASSIZE_NOWHERE;
    for (size_t at = from; at + part.len <= whole.len; at++) {
        const char *next = memchr(whole.ptr + at, part.ptr[0], whole.len - part.len - at + 1);
        if (next == NULL) return ASSIZE_NOWHERE;
        at = (size_t)(next - whole.ptr);
        if (memcmp(next, part.ptr, part.len) == 0) return at;
    }
    return ASSIZE_NOWHERE;
}

void *assize_room(void *list, size_t count, size_t *room, size_t size) {
    if (count < *room) return list;
    *room = *room == 0 ? 8 : *room * 2;
    void *more = realloc(list, *room * size);
    if (more == NULL) abort();
    return more;
}

void assize_append(assize_buffer *buffer, const char *bytes, size_t count) {
    while (buffer->room - buffer->len < count) {
        size_t before = buffer->room;
        buffer->ptr = assize_room(buffer->ptr, before, &buffer->room, 1);
    }
    if (count > 0) memcpy(buffer->ptr + buffer->len, bytes, count);
    buffer->len += count;
}

static void append_number(assize_buffer *buffer, size_t number) {
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    assize_append(buffer, digits + at, sizeof digits - at);
}

assize_str assize_formatted(const char *format, va_list arguments) {
    assize_buffer buffer = {0};
    for (const char *at = format; *at != '\0'; at++) {
        if (*at != '%' || at[1] == '\0') {
            assize_append(&buffer, at, 1);
            continue;
        }
        switch (*++at) {
            case 's': {
                const char *text = va_arg(arguments, const char *);
                assize_append(&buffer, text, strlen(text));
                break;
            }
            case 't': {
                assize_str text = va_arg(arguments, assize_str);
                assize_append(&buffer, text.ptr, text.len);
                break;
            }
            case 'z': append_number(&buffer, va_arg(arguments, size_t)); break;
            default: assize_append(&buffer, at, 1);
        }
    }
    return (assize_str){buffer.ptr, buffer.len};
}

assize_str assize_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    assize_str text = assize_formatted(format, arguments);
    va_end(arguments);
    return text;
}
