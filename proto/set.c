/*
 * The set of texts with scopes. A small scope is searched from end to end,
 * which is cheaper than hashing; one that outgrows LINEAR_MAX is entered in
 * an open-addressing table shared by all scopes. As scopes end in the reverse
 * order of their beginning, clearing their slots leaves every probe sequence
 * as it was before.
 */
#include "proto/set.h"

#include <stdlib.h>

#define LINEAR_MAX    16
#define FIRST_ENTRIES 64
#define FIRST_TEXT    1024
#define FIRST_SLOTS   128 /* a power of two */
#define NO_SLOT       UINT32_MAX

struct set_entry {
    uint32_t offset, len; /* in text */
    uint32_t hash;
    uint32_t slot; /* NO_SLOT: found by looking through the scope */
};

/* One key a process, asked for once: nobody outside can tell which names
 * collide. */
static const uint64_t *
process_key(void)
{
    static uint64_t key[2];

    if (key[0] == 0) {
        arc4random_buf(key, sizeof(key));
        key[0] |= 1;
    }
    return key;
}

void
set_init(set_t *s)
{
    *s = (set_t){0};
    memcpy(s->key, process_key(), sizeof(s->key));
}

void
set_free(set_t *s)
{
    free(s->text);
    free(s->entries);
    free(s->slots);
    *s = (set_t){0};
}

int
set_mark(const set_t *s)
{
    return s->count;
}

str_t
set_text(const set_t *s, int entry)
{
    const set_entry_t *e = &s->entries[entry];
    return (str_t){s->text + e->offset, e->len};
}

static uint64_t
rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void
sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein), folded to 32 bits. */
static uint32_t
sip_hash(const uint64_t key[2], str_t text)
{
    uint64_t v[4] = {
        key[0] ^ UINT64_C(0x736f6d6570736575),
        key[1] ^ UINT64_C(0x646f72616e646f6d),
        key[0] ^ UINT64_C(0x6c7967656e657261),
        key[1] ^ UINT64_C(0x7465646279746573),
    };
    for (size_t i = 0; i <= text.len; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t left = text.len - i;
        if (left >= sizeof(word)) {
            memcpy(&word, text.data + i, sizeof(word));
        } else {
            memcpy(&word, text.data + i, left);
            word |= (uint64_t) text.len << 56;
        }
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) {
        sip_round(v);
    }
    uint64_t hash = v[0] ^ v[1] ^ v[2] ^ v[3];
    return (uint32_t) (hash ^ (hash >> 32));
}

/* The entry of the scope with this text, or -1. */
static int
slot_find(const set_t *s, int mark, str_t text, uint32_t hash)
{
    size_t mask = s->slot_count - 1;

    for (size_t i = hash & mask; s->slots[i] != 0; i = (i + 1) & mask) {
        int entry = (int) s->slots[i] - 1;
        if (entry >= mark && s->entries[entry].hash == hash &&
            str_eq(set_text(s, entry), text)) {
            return entry;
        }
    }
    return -1;
}

static void
slot_enter(set_t *s, int entry)
{
    size_t mask = s->slot_count - 1;
    size_t i = s->entries[entry].hash & mask;

    while (s->slots[i] != 0) {
        i = (i + 1) & mask;
    }
    s->slots[i] = (uint32_t) entry + 1;
    s->entries[entry].slot = (uint32_t) i;
    s->slots_used++;
}

/* Room in the table for `more`; entered anew in the order of their numbers,
 * on which set_drop() relies. */
static bool
slots_reserve(set_t *s, size_t more)
{
    size_t count = s->slot_count ? s->slot_count : FIRST_SLOTS;

    while ((s->slots_used + more) * 2 > count) {
        count *= 2;
    }
    if (count == s->slot_count) {
        return true;
    }
    uint32_t *slots = calloc(count, sizeof(*slots));
    if (!slots) {
        return false;
    }
    free(s->slots);
    s->slots = slots;
    s->slot_count = count;
    s->slots_used = 0;
    for (int i = 0; i < s->count; i++) {
        if (s->entries[i].slot != NO_SLOT) {
            slot_enter(s, i);
        }
    }
    return true;
}

static bool
entries_reserve(set_t *s, size_t text_len)
{
    if (s->count == s->cap) {
        int cap = s->cap ? s->cap * 2 : FIRST_ENTRIES;
        set_entry_t *entries =
            realloc(s->entries, (size_t) cap * sizeof(*entries));
        if (!entries) {
            return false;
        }
        s->entries = entries;
        s->cap = cap;
    }
    size_t need = s->text_len + text_len;
    if (need > UINT32_MAX) {
        return false;
    }
    if (need > s->text_cap || !s->text) {
        size_t cap = s->text_cap ? s->text_cap : FIRST_TEXT;
        while (cap < need) {
            cap *= 2;
        }
        char *text = realloc(s->text, cap);
        if (!text) {
            return false;
        }
        s->text = text;
        s->text_cap = cap;
    }
    return true;
}

static int
entry_append(set_t *s, str_t text)
{
    if (!entries_reserve(s, text.len)) {
        return -1;
    }
    s->entries[s->count] = (set_entry_t){
        .offset = (uint32_t) s->text_len,
        .len = (uint32_t) text.len,
        .slot = NO_SLOT,
    };
    if (text.len > 0) {
        memcpy(s->text + s->text_len, text.data, text.len);
    }
    s->text_len += text.len;
    return s->count++;
}

/* The scope has become too large to look through. */
static bool
scope_enter(set_t *s, int mark)
{
    if (!slots_reserve(s, LINEAR_MAX + 1)) {
        return false;
    }
    for (int i = mark; i < s->count; i++) {
        s->entries[i].hash = sip_hash(s->key, set_text(s, i));
        slot_enter(s, i);
    }
    return true;
}

static int
add_linear(set_t *s, int mark, str_t text, bool *ret_new)
{
    for (int i = mark; i < s->count; i++) {
        if (s->entries[i].len == text.len && str_eq(set_text(s, i), text)) {
            *ret_new = false;
            return i;
        }
    }
    int entry = entry_append(s, text);
    if (entry >= 0 && s->count - mark > LINEAR_MAX && !scope_enter(s, mark)) {
        return -1;
    }
    *ret_new = true;
    return entry;
}

static int
add_hashed(set_t *s, int mark, str_t text, bool *ret_new)
{
    uint32_t hash = sip_hash(s->key, text);
    int entry = slot_find(s, mark, text, hash);

    *ret_new = entry < 0;
    if (entry >= 0) {
        return entry;
    }
    if (!slots_reserve(s, 1)) {
        return -1;
    }
    entry = entry_append(s, text);
    if (entry >= 0) {
        s->entries[entry].hash = hash;
        slot_enter(s, entry);
    }
    return entry;
}

int
set_add(set_t *s, int mark, str_t text, bool *ret_new)
{
    if (s->count - mark > LINEAR_MAX) {
        return add_hashed(s, mark, text, ret_new);
    }
    return add_linear(s, mark, text, ret_new);
}

void
set_drop(set_t *s, int mark)
{
    if (mark >= s->count) {
        return;
    }
    for (int i = mark; i < s->count; i++) {
        if (s->entries[i].slot != NO_SLOT) {
            s->slots[s->entries[i].slot] = 0;
            s->slots_used--;
        }
    }
    s->text_len = s->entries[mark].offset;
    s->count = mark;
}
