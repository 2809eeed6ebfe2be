/*
 * A set of texts with scopes: what is added after a mark is forgotten when
 * the mark is dropped. It finds a name or an id that stands twice in one JSON
 * object or list, however deep these are nested, in one piece of memory.
 *
 * The hash is keyed with randomness of its own, so that no sender can make
 * all texts meet in one slot.
 */
#ifndef TURNUP_PROTO_SET_H
#define TURNUP_PROTO_SET_H

#include <stdint.h>

#include "proto/str.h"

typedef struct set_entry set_entry_t;

typedef struct {
    char *text; /* of all entries, one behind the other */
    size_t text_len, text_cap;
    set_entry_t *entries;
    int count, cap;
    uint32_t *slots; /* entry + 1, or 0; only entries of large scopes */
    size_t slot_count, slots_used;
    uint64_t key[2];
} set_t;

void set_init(set_t *s);
void set_free(set_t *s);
/* Begins a scope: to be given to set_add() and, in the end, to set_drop().
 * Only the scope begun last may be added to. */
int set_mark(const set_t *s);
/* The entry's number, or -1: out of memory. *ret_new: it was not there. The
 * text is copied. */
int set_add(set_t *s, int mark, str_t text, bool *ret_new);
void set_drop(set_t *s, int mark);
/* The text of an entry; good until the next set_add(). */
str_t set_text(const set_t *s, int entry);

#endif
