/* What the kit's own files share. */
#ifndef ASSIZE_INSIDE_H
#define ASSIZE_INSIDE_H

#include <assize.h>
#include <stdarg.h>

/* A string that grows. */
typedef struct {
    char *ptr;
    size_t len, room;
} assize_buffer;

void assize_append(assize_buffer *buffer, const char *bytes, size_t count);
assize_str assize_formatted(const char *format, va_list arguments);
/* Makes room for one more item of a list. */
void *assize_room(void *list, size_t count, size_t *room, size_t size);

#endif
