/* Reads JSON into a tree. The host has checked what comes from it; this refuses what isn't JSON all the same. */

#include <assize.h>
#include <stdlib.h>

#include "inside.h"

/* The host allows 64 levels. */
enum { DEEPEST = 128 };

typedef struct {
    const char *at, *end;
    bool wrong;
} reader;

static void blanks(reader *reader) {
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r')) reader->at++;
}

static bool take(reader *reader, char wanted) {
    blanks(reader);
    if (reader->at == reader->end || *reader->at != wanted) return false;
    reader->at++;
    return true;
}

static uint32_t hexadecimal(reader *reader) {
    uint32_t value = 0;
    for (int n = 0; n < 4; n++) {
        if (reader->at == reader->end) {
            reader->wrong = true;
            return 0;
        }
        char digit = *reader->at++;
        uint32_t number = digit >= '0' && digit <= '9' ? (uint32_t)(digit - '0') : ((uint32_t)digit | 32) - 'a' + 10;
        if (number > 15) reader->wrong = true;
        value = value << 4 | (number & 15);
    }
    return value;
}

static void append_scalar(assize_buffer *buffer, uint32_t scalar) {
    char bytes[4];
    size_t count;
    if (scalar < 0x80) {
        bytes[0] = (char)scalar;
        count = 1;
    } else if (scalar < 0x800) {
        bytes[0] = (char)(0xc0 | scalar >> 6);
        bytes[1] = (char)(0x80 | (scalar & 63));
        count = 2;
    } else if (scalar < 0x10000) {
        bytes[0] = (char)(0xe0 | scalar >> 12);
        bytes[1] = (char)(0x80 | (scalar >> 6 & 63));
        bytes[2] = (char)(0x80 | (scalar & 63));
        count = 3;
    } else {
        bytes[0] = (char)(0xf0 | scalar >> 18);
        bytes[1] = (char)(0x80 | (scalar >> 12 & 63));
        bytes[2] = (char)(0x80 | (scalar >> 6 & 63));
        bytes[3] = (char)(0x80 | (scalar & 63));
        count = 4;
    }
    assize_append(buffer, bytes, count);
}

static void escape(reader *reader, assize_buffer *buffer) {
    if (reader->at == reader->end) {
        reader->wrong = true;
        return;
    }
    char letter = *reader->at++;
    switch (letter) {
        case '"': case '\\': case '/': assize_append(buffer, &letter, 1); return;
        case 'b': assize_append(buffer, "\b", 1); return;
        case 'f': assize_append(buffer, "\f", 1); return;
        case 'n': assize_append(buffer, "\n", 1); return;
        case 'r': assize_append(buffer, "\r", 1); return;
        case 't': assize_append(buffer, "\t", 1); return;
        case 'u': break;
        default: reader->wrong = true; return;
    }
    uint32_t unit = hexadecimal(reader);
    if (unit >= 0xd800 && unit < 0xdc00 && reader->end - reader->at >= 2 && reader->at[0] == '\\' && reader->at[1] == 'u') {
        reader->at += 2;
        uint32_t low = hexadecimal(reader);
        if (low < 0xdc00 || low >= 0xe000) reader->wrong = true;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    } else if (unit >= 0xd800 && unit < 0xe000) {
        reader->wrong = true;
    }
    if (!reader->wrong) append_scalar(buffer, unit);
}

/* A string, without copying it where it has no escapes. */
static assize_str string(reader *reader) {
    if (!take(reader, '"')) {
        reader->wrong = true;
        return (assize_str){"", 0};
    }
    const char *start = reader->at;
    while (reader->at < reader->end && *reader->at != '"' && *reader->at != '\\') reader->at++;
    if (reader->at < reader->end && *reader->at == '"') return (assize_str){start, (size_t)(reader->at++ - start)};
    assize_buffer buffer = {0};
    assize_append(&buffer, start, (size_t)(reader->at - start));
    while (reader->at < reader->end && *reader->at != '"' && !reader->wrong) {
        start = reader->at;
        while (reader->at < reader->end && *reader->at != '"' && *reader->at != '\\') reader->at++;
        assize_append(&buffer, start, (size_t)(reader->at - start));
        if (reader->at < reader->end && *reader->at == '\\') {
            reader->at++;
            escape(reader, &buffer);
        }
    }
    if (!take(reader, '"')) reader->wrong = true;
    return (assize_str){buffer.ptr, buffer.len};
}

static assize_json *value(reader *reader, int depth);

static void members(reader *reader, assize_json *around, char end, int depth) {
    assize_json **last = &around->first;
    if (take(reader, end)) return;
    do {
        assize_str name = {NULL, 0};
        if (end == '}') {
            name = string(reader);
            if (!take(reader, ':')) reader->wrong = true;
        }
        *last = value(reader, depth + 1);
        (*last)->name = name;
        last = &(*last)->next;
    } while (!reader->wrong && take(reader, ','));
    if (!take(reader, end)) reader->wrong = true;
}

static assize_json *value(reader *reader, int depth) {
    assize_json *made = calloc(1, sizeof *made);
    if (made == NULL) abort();
    blanks(reader);
    if (reader->at == reader->end || depth > DEEPEST) {
        reader->wrong = true;
        return made;
    }
    switch (*reader->at) {
        case '{':
        case '[': {
            bool object = *reader->at++ == '{';
            made->kind = object ? ASSIZE_OBJECT : ASSIZE_ARRAY;
            members(reader, made, object ? '}' : ']', depth);
            return made;
        }
        case '"':
            made->kind = ASSIZE_STRING;
            made->text = string(reader);
            return made;
        default: break;
    }
    const char *start = reader->at;
    while (reader->at < reader->end && strchr(" \t\r\n,:]}", *reader->at) == NULL) reader->at++;
    made->text = (assize_str){start, (size_t)(reader->at - start)};
    if (assize_equal(made->text, assize_str_of("null"))) made->kind = ASSIZE_NULL;
    else if (assize_equal(made->text, assize_str_of("true")) || assize_equal(made->text, assize_str_of("false"))) made->kind = ASSIZE_BOOL;
    else if (made->text.len > 0 && (*start == '-' || (*start >= '0' && *start <= '9'))) made->kind = ASSIZE_NUMBER;
    else reader->wrong = true;
    return made;
}

const assize_json *assize_parse(assize_str document) {
    reader reader = {document.ptr, document.ptr + document.len, false};
    assize_json *made = value(&reader, 0);
    blanks(&reader);
    return reader.wrong || reader.at != reader.end ? NULL : made;
}

const assize_json *assize_member(const assize_json *value, const char *name) {
    if (value == NULL || value->kind != ASSIZE_OBJECT) return NULL;
    for (const assize_json *member = value->first; member != NULL; member = member->next) {
        if (assize_equal(member->name, assize_str_of(name))) return member;
    }
    return NULL;
}

double assize_number(const assize_json *value, double otherwise) {
    char digits[64];
    if (value == NULL || value->kind != ASSIZE_NUMBER || value->text.len >= sizeof digits) return otherwise;
    memcpy(digits, value->text.ptr, value->text.len);
    digits[value->text.len] = '\0';
    return strtod(digits, NULL);
}

assize_str assize_string(const assize_json *value, assize_str otherwise) {
    return value != NULL && value->kind == ASSIZE_STRING ? value->text : otherwise;
}
