/*
 * Hints in Redis.
 */
#include "backend/pools/hints.h"

#include "proto/keys.h"

#define HINTS_AN_ENTRY 32    /* so that several workers share a burst */
#define BYTES_AN_ENTRY 65536 /* and no entry is large */
#define HINTS_MAX      "4000"

void
hints_init(hints_t *h, arena_t *a)
{
    memset(h, 0, sizeof(*h));
    h->arena = a;
}

void
hints_add(hints_t *h, uuid_t activation, str_t family, str_t begin)
{
    hint_about_t *about;

    if (h->count == h->cap) {
        int cap = h->cap ? 2 * h->cap : 64;

        about = arena_array(h->arena, hint_about_t, (size_t) cap);
        for (int i = 0; i < h->count; i++) {
            about[i] = h->about[i];
        }
        h->about = about;
        h->cap = cap;
    }
    about = &h->about[h->count];
    about->id = activation;
    about->begin = begin;
    /* mostly the same family as before */
    about->family = h->count && str_eq(about[-1].family, family)
                        ? about[-1].family
                        : arena_str(h->arena, family);
    h->count++;
}

static int
put_about(const hints_t *h, const hint_about_t *about, str_t *argv)
{
    char *text;

    if (about->begin.len) {
        argv[0] = STR("begin");
        argv[1] = about->begin;
        return 2;
    }
    text = arena_alloc(h->arena, UUID_TEXT + 1);
    uuid_print(about->id, text);
    argv[0] = STR("activation");
    argv[1] = (str_t){text, UUID_TEXT};
    return 2;
}

static void
send_family(const hints_t *h, int first, redis_t *r, const settings_t *s)
{
    enum { HEAD = 6 };
    str_t family = h->about[first].family;
    str_t argv[HEAD + 2 * HINTS_AN_ENTRY] = {
        STR("XADD"),
        arena_printf(h->arena, "%s" KEY_FAMILY "%.*s", s->prefix,
                     STR_FMT(family)),
        STR("MAXLEN"),
        STR("~"),
        STR(HINTS_MAX),
        STR("*")};
    int argc = HEAD;
    size_t bytes = 0;

    for (int i = first; i < h->count; i++) {
        if (!str_eq(h->about[i].family, family)) {
            continue;
        }
        argc += put_about(h, &h->about[i], &argv[argc]);
        bytes += argv[argc - 1].len;
        if (argc == HEAD + 2 * HINTS_AN_ENTRY || bytes > BYTES_AN_ENTRY) {
            redis_command(r, NULL, NULL, 0, argv, argc);
            argc = HEAD;
            bytes = 0;
        }
    }
    if (argc > HEAD) {
        redis_command(r, NULL, NULL, 0, argv, argc);
    }
}

void
hints_send(const hints_t *h, redis_t *r, const settings_t *s)
{
    for (int i = 0; i < h->count; i++) {
        bool seen = false;

        for (int j = i - 1; j >= 0 && !seen; j--) {
            seen = str_eq(h->about[j].family, h->about[i].family);
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
