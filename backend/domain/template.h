/*
 * Templates: text with {{dotted.path}} or {{dotted.path|default text}}.
 *
 * Roots: order, item, service, characteristic, current (the configuration
 * that runs now; modify and delete), variable, spec, callback. A value is
 * escaped for where it lands: a path segment, a JSON string, or plain text.
 * {{path}} standing alone as a whole JSON string ("{{characteristic.x}}") is
 * replaced by the value itself, so numbers and objects stay what they are; a
 * default is a text. A path may go into arrays by index (a.0.b). It has no
 * value when it leads nowhere or to null; in a URL also when the value is "",
 * ".", "..", an object or an array. Control characters become blanks in plain
 * text, so a header stays one line.
 */
#ifndef TURNUP_DOMAIN_TEMPLATE_H
#define TURNUP_DOMAIN_TEMPLATE_H

#include "backend/base/json.h"

#define TEMPLATE_MAX_PATHS 64

typedef struct template template_t;

typedef enum { TEMPLATE_TEXT, TEMPLATE_URL, TEMPLATE_JSON } template_kind_t;

/* What {{paths}} look into: an object a root; NULL: that root is empty. */
typedef struct {
    const json_t *order;
    const json_t *item;
    const json_t *service;        /* id, name, ... of the order's item */
    const json_t *characteristic; /* name → value, as they are to be */
    const json_t *current;        /* as they are now: characteristic, ... */
    const json_t *variable;       /* captured and allocated so far */
    const json_t *spec;
    str_t callback; /* {{callback.url}}: where a vendor answers to */
} template_context_t;

/* NULL with *err (a constant) when the text is malformed, a root unknown, or,
 * for TEMPLATE_JSON, the text no JSON. Lives in a. */
template_t *template_compile(arena_t *a, template_kind_t kind, str_t text,
                             const char **err);
/* false with *ret_missing: a path has no value and no default. Then nothing
 * is appended. */
bool template_render(const template_t *t, const template_context_t *c,
                     buf_t *out, str_t *ret_missing);
/* The paths of it, for checks: "characteristic.bandwidth". *ret_optional:
 * has a default. */
int template_path_count(const template_t *t);
str_t template_path(const template_t *t, int i, bool *ret_optional);
/* Would path i render: has it a value there, or a default? */
bool template_path_known(const template_t *t, int i,
                         const template_context_t *c);

#endif
