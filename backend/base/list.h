/*
 * Intrusive doubly linked lists.
 */
#ifndef TURNUP_BASE_LIST_H
#define TURNUP_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct list {
    struct list *prev, *next;
} list_t;

#define list_entry(node, type, member) \
    ((type *) (void *) ((char *) (node) -offsetof(type, member)))

static inline void
list_init(list_t *l)
{
    l->prev = l->next = l;
}

static inline bool
list_empty(const list_t *l)
{
    return l->next == l;
}

static inline void
list_append(list_t *l, list_t *node)
{
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}

/* Also for a node that is in no list, if it was initialised or removed. */
static inline void
list_remove(list_t *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

static inline list_t *
list_pop(list_t *l)
{
    list_t *n = l->next;

    if (n == l) {
        return NULL;
    }
    /* The analyser takes the list for one that still holds what it popped. */
    list_remove(n); /* NOLINT(clang-analyzer-unix.Malloc) */
    return n;
}

#endif
