/*
 * Hints in Redis.
 */
#include "backend/pools/hints.h"

#include "proto/keys.h"

#define HINTS_AN_ENTRY 32 /* so that several workers share a burst */

void
hints_init(hints_t *h, arena_t *a)
{
    memset(h, 0, sizeof(*h));
    h->arena = a;
}

void
hints_add(hints_t *h, uuid_t activation, str_t family)
{
    if (h->count == h->cap) {
        int cap = h->cap ? 2 * h->cap : 64;
        uuid_t *ids = arena_array(h->arena, uuid_t, (size_t) cap);
        str_t *families = arena_array(h->arena, str_t, (size_t) cap);

        for (int i = 0; i < h->count; i++) {
            ids[i] = h->ids[i];
            families[i] = h->families[i];
        }
        h->ids = ids;
        h->families = families;
        h->cap = cap;
    }
    h->ids[h->count] = activation;
    /* mostly the same family as before */
    h->families[h->count] =
        h->count && str_eq(h->families[h->count - 1], family)
            ? h->families[h->count - 1]
            : arena_str(h->arena, family);
    h->count++;
}

static void
send_family(const hints_t *h, int first, redis_t *r, const settings_t *s)
{
    str_t argv[3 + 2 * HINTS_AN_ENTRY];
    str_t family = h->families[first];
    int argc = 0;

    for (int i = first; i < h->count; i++) {
        char *text;

        if (!str_eq(h->families[i], family)) {
            continue;
        }
        if (argc == 0) {
            argv[argc++] = STR("XADD");
            argv[argc++] = arena_printf(h->arena, "%s" KEY_FAMILY "%.*s",
                                        s->prefix, STR_FMT(family));
            argv[argc++] = STR("*");
        }
        text = arena_alloc(h->arena, UUID_TEXT + 1);
        uuid_print(h->ids[i], text);
        argv[argc++] = STR("activation");
        argv[argc++] = (str_t){text, UUID_TEXT};
        if (argc == 3 + 2 * HINTS_AN_ENTRY) {
            redis_command(r, NULL, NULL, 0, argv, argc);
            argc = 0;
        }
    }
    if (argc) {
        redis_command(r, NULL, NULL, 0, argv, argc);
    }
}

void
hints_send(const hints_t *h, redis_t *r, const settings_t *s)
{
    for (int i = 0; i < h->count; i++) {
        bool seen = false;

        for (int j = i - 1; j >= 0 && !seen; j--) {
            seen = str_eq(h->families[j], h->families[i]);
        }
        if (!seen) {
            send_family(h, i, r, s);
        }
    }
}

void
hint_events(redis_t *r, const settings_t *s)
{
    char key[256];
    size_t n = strlen(s->prefix);

    if (n + sizeof(KEY_EVENTS) > sizeof(key)) {
        return; /* the notifier looks each second by itself */
    }
    memcpy(key, s->prefix, n);
    memcpy(key + n, KEY_EVENTS, sizeof(KEY_EVENTS));
    redis_call(r, NULL, NULL, "LPUSH", key, "1", NULL);
    redis_call(r, NULL, NULL, "LTRIM", key, "0", "0", NULL);
}
