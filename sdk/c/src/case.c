/* What can be read off a case without knowing its schema. */

#include <assize.h>

#include "inside.h"

typedef struct {
    assize_text *texts;
    size_t count, room;
} list;

static assize_str below(assize_str pointer, const assize_json *member, size_t index) {
    assize_buffer buffer = {0};
    assize_append(&buffer, pointer.ptr, pointer.len);
    assize_append(&buffer, "/", 1);
    if (member->name.ptr == NULL) {
        assize_str number = assize_format("%z", index);
        assize_append(&buffer, number.ptr, number.len);
    }
    for (size_t n = 0; n < member->name.len; n++) {
        char letter = member->name.ptr[n];
        if (letter == '~') assize_append(&buffer, "~0", 2);
        else if (letter == '/') assize_append(&buffer, "~1", 2);
        else assize_append(&buffer, &letter, 1);
    }
    return (assize_str){buffer.ptr, buffer.len};
}

static void walk(const assize_json *value, assize_str pointer, list *found) {
    if (value->kind == ASSIZE_STRING) {
        found->texts = assize_room(found->texts, found->count, &found->room, sizeof *found->texts);
        found->texts[found->count++] = (assize_text){pointer, value->text};
    }
    size_t index = 0;
    for (const assize_json *member = value->first; member != NULL; member = member->next, index++) {
        walk(member, below(pointer, member, index), found);
    }
}

const assize_text *assize_texts(const assize_case *subject, size_t *count) {
    list found = {0};
    walk(subject->payload, (assize_str){"", 0}, &found);
    *count = found.count;
    return found.texts;
}

bool assize_is_in(const assize_case *subject, const char *code) {
    for (size_t n = 0; n < subject->jurisdiction_count; n++) {
        if (assize_equal(subject->jurisdictions[n], assize_str_of(code))) return true;
    }
    return false;
}
