/* The memory of a component, which lives for one call: an arena that nobody clears away.
 *
 * Its room is part of the component's first memory, whose untouched pages cost nothing; asking for more memory, as a
 * standard allocator does at its first call, changes the mapping of the host's pages at every call of the plugin. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { ROOM = 1 << 20, ALIGNED = 16, PAGE = 1 << 16 };

static _Alignas(ALIGNED) char room[ROOM];
static char *next = room, *end = room + ROOM;

/* Before each piece stands its size, for `realloc`. */
void *malloc(size_t size) {
    if (size > SIZE_MAX - 2 * ALIGNED) return NULL;
    size_t whole = ALIGNED + ((size + ALIGNED - 1) & ~(size_t)(ALIGNED - 1));
    if ((size_t)(end - next) < whole) {
        /* A case far larger than others. What is left of the room stays unused. */
        size_t pages = (whole + PAGE - 1) / PAGE + ROOM / PAGE;
        size_t before = __builtin_wasm_memory_grow(0, pages);
        if (before == SIZE_MAX) return NULL;
        next = (char *)(before * PAGE);
        end = next + pages * PAGE;
    }
    char *piece = next + ALIGNED;
    *(size_t *)next = size;
    next += whole;
    return piece;
}

void free(void *piece) { (void)piece; }

void *calloc(size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / size) return NULL;
    /* Memory that was never used is zero. */
    return malloc(count * size);
}

void *realloc(void *piece, size_t size) {
    if (piece == NULL) return malloc(size);
    size_t *known = (size_t *)((char *)piece - ALIGNED);
    size_t before = *known;
    char *after = (char *)piece + ((before + ALIGNED - 1) & ~(size_t)(ALIGNED - 1));
    if (after == next && size >= before && (size_t)(end - (char *)piece) >= size + ALIGNED) {
        /* The last piece grows where it stands. */
        next = (char *)piece + ((size + ALIGNED - 1) & ~(size_t)(ALIGNED - 1));
        *known = size;
        return piece;
    }
    if (size <= before) return piece;
    void *moved = malloc(size);
    if (moved != NULL) memcpy(moved, piece, before);
    return moved;
}

void *aligned_alloc(size_t alignment, size_t size) { return alignment <= ALIGNED ? malloc(size) : NULL; }

_Noreturn void abort(void) { __builtin_trap(); }
