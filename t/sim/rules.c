/*
 * Fault rules: read by tables, matched in the order they came.
 */
#define _GNU_SOURCE /* memmem() */

#include <stdio.h>
#include <stdlib.h>

#include "t/common/json_text.h"
#include "t/common/memory.h"
#include "t/sim/rules.h"

typedef enum { FIELD_TEXT, FIELD_OBJECT, FIELD_NUMBER, FIELD_FLAG } field_t;

typedef struct {
    const char *name;
    field_t type;
    size_t offset;
    long least; /* of a number */
    long most;
} field_row_t;

#define AT(member) offsetof(rule_t, member)

static const field_row_t match_fields[] = {
    {"target", FIELD_TEXT, AT(target), 0, 0},
    {"method", FIELD_TEXT, AT(method), 0, 0},
    {"pathContains", FIELD_TEXT, AT(path_contains), 0, 0},
    {"bodyContains", FIELD_TEXT, AT(body_contains), 0, 0},
    {"times", FIELD_NUMBER, AT(times), 1, 1000000000},
    {NULL, FIELD_TEXT, 0, 0, 0},
};

static const field_row_t action_fields[] = {
    {"status", FIELD_NUMBER, AT(status), RULE_STATUS_MIN, RULE_STATUS_MAX},
    {"body", FIELD_OBJECT, AT(body), 0, 0},
    {"headers", FIELD_OBJECT, AT(headers), 0, 0},
    {"delayMs", FIELD_NUMBER, AT(delay_ms), 0, RULE_DELAY_MAX},
    {"hang", FIELD_FLAG, AT(hang), 0, 0},
    {"drop", FIELD_FLAG, AT(drop), 0, 0},
    {"dropAfterApply", FIELD_FLAG, AT(drop_after_apply), 0, 0},
    {"afterApply", FIELD_FLAG, AT(after_apply), 0, 0},
    {"async", FIELD_OBJECT, AT(async), 0, 0},
    {"tamper", FIELD_OBJECT, AT(tamper), 0, 0},
    {NULL, FIELD_TEXT, 0, 0, 0},
};

static const field_row_t async_fields[] = {
    {"delayMs", FIELD_NUMBER, AT(async_delay_ms), 0, RULE_DELAY_MAX},
    {"result", FIELD_OBJECT, AT(async_result), 0, 0},
    {"twice", FIELD_FLAG, AT(twice), 0, 0},
    {"never", FIELD_FLAG, AT(never), 0, 0},
    {NULL, FIELD_TEXT, 0, 0, 0},
};

static const field_row_t *
find_field(const field_row_t *rows, str_t name)
{
    while (rows->name && !str_is(name, rows->name)) {
        rows++;
    }
    return rows->name ? rows : NULL;
}

static bool
read_text(char **to, str_t value)
{
    buf_t text;
    bool ok;

    buf_init(&text, RULE_TEXT_MAX);
    ok = json_text_string(&text, value) && !buf_failed(&text);
    if (ok) {
        *to = memory_copy(buf_view(&text));
    }
    buf_free(&text);
    return ok;
}

static bool
read_field(rule_t *r, const field_row_t *row, str_t value)
{
    void *at = (char *) r + row->offset;
    char **text = at;
    long *number = at;
    bool *flag = at;

    switch (row->type) {
    case FIELD_TEXT:
        return !*text && read_text(text, value);
    case FIELD_OBJECT:
        if (*text || !json_text_is_object(value)) {
            return false;
        }
        *text = memory_copy(value);
        return true;
    case FIELD_NUMBER:
        return json_text_long(value, number) && *number >= row->least &&
               *number <= row->most;
    case FIELD_FLAG:
        *flag = str_is(value, "true");
        return *flag || str_is(value, "false");
    }
    return false;
}

/* The members of object by rows; skip names a member read elsewhere. */
static bool
read_fields(rule_t *r, const field_row_t *rows, str_t object, const char *skip,
            char *why, size_t why_size)
{
    json_walk_t w = json_walk(object);
    json_member_t m;
    int more;

    while ((more = json_walk_next(&w, &m)) == 1) {
        const field_row_t *row = find_field(rows, m.name);

        if (skip && str_is(m.name, skip)) {
            continue;
        }
        if (!row || !read_field(r, row, m.value)) {
            snprintf(why, why_size, "%s member %.*s",
                     row ? "malformed" : "unknown", STR_FMT(m.name));
            return false;
        }
    }
    if (more < 0) {
        snprintf(why, why_size, "not a JSON object");
    }
    return more == 0;
}

/* {"Name":"value"} into header lines; in place of what came. */
static bool
render_headers(rule_t *r)
{
    json_walk_t w = json_walk(str_of(r->headers));
    json_member_t m;
    buf_t lines;
    bool ok = true;

    buf_init(&lines, RULE_TEXT_MAX);
    while (ok && json_walk_next(&w, &m) == 1) {
        size_t from = lines.len;

        buf_str(&lines, m.name);
        buf_puts(&lines, ": ");
        ok = json_text_string(&lines, m.value) && !buf_failed(&lines);
        for (size_t i = from; ok && i < lines.len; i++) {
            ok = (unsigned char) lines.data[i] >= ' ';
        }
        buf_puts(&lines, "\r\n");
    }
    free(r->headers);
    r->headers = memory_copy(buf_view(&lines));
    buf_free(&lines);
    return ok;
}

static bool
rule_read(rule_t *r, str_t text, char *why, size_t why_size)
{
    str_t action = json_text_get(text, "action");

    if (!read_fields(r, match_fields, text, "action", why, why_size)) {
        return false;
    }
    if (!action.data) {
        snprintf(why, why_size, "member action is missing");
        return false;
    }
    if (!read_fields(r, action_fields, action, NULL, why, why_size)) {
        return false;
    }
    if (r->async &&
        !read_fields(r, async_fields, str_of(r->async), NULL, why, why_size)) {
        return false;
    }
    r->op = r->method ? op_of(str_of(r->method)) : OP_COUNT;
    if (r->method && r->op == OP_COUNT) {
        snprintf(why, why_size, "unknown method %s", r->method);
        return false;
    }
    if (r->headers && !render_headers(r)) {
        snprintf(why, why_size, "malformed member headers");
        return false;
    }
    if (r->drop_after_apply) {
        r->drop = r->after_apply = true;
    }
    return true;
}

static void
rule_free(rule_t *r)
{
    free(r->text);
    free(r->target);
    free(r->method);
    free(r->path_contains);
    free(r->body_contains);
    free(r->body);
    free(r->headers);
    free(r->tamper);
    free(r->async);
    free(r->async_result);
    free(r);
}

long
rules_add(rules_t *rules, str_t text, char *why, size_t why_size)
{
    rule_t **end = &rules->first;
    rule_t *r;

    if (!json_text_is_object(text)) {
        snprintf(why, why_size, "not a JSON object");
        return -1;
    }
    if (rules->count == RULES_MAX) {
        snprintf(why, why_size, "more than %d rules", RULES_MAX);
        return -1;
    }
    r = memory_new(sizeof *r);
    r->times = r->async_delay_ms = -1;
    if (!rule_read(r, text, why, why_size)) {
        rule_free(r);
        return -1;
    }
    r->text = memory_copy(text);
    r->id = ++rules->last_id;
    while (*end) {
        end = &(*end)->next;
    }
    *end = r;
    rules->count++;
    return r->id;
}

bool
rules_remove(rules_t *rules, long id)
{
    for (rule_t **p = &rules->first; *p; p = &(*p)->next) {
        rule_t *r = *p;

        if (r->id == id) {
            *p = r->next;
            rules->count--;
            rule_free(r);
            return true;
        }
    }
    return false;
}

void
rules_clear(rules_t *rules)
{
    while (rules->first) {
        rules_remove(rules, rules->first->id);
    }
}

static bool
contains(str_t text, const char *part)
{
    return !part || part[0] == '\0' ||
           (text.len && memmem(text.data, text.len, part, strlen(part)));
}

const rule_t *
rules_match(rules_t *rules, str_t target, op_t op, str_t path, str_t body)
{
    for (rule_t *r = rules->first; r; r = r->next) {
        if ((r->times >= 0 && r->hits >= r->times) ||
            (r->target && !str_is(target, r->target)) ||
            (r->op != OP_COUNT && r->op != op) ||
            !contains(path, r->path_contains) ||
            !contains(body, r->body_contains)) {
            continue;
        }
        r->hits++;
        return r;
    }
    return NULL;
}

bool
rule_prevents(const rule_t *r)
{
    return !r->after_apply && (r->status || r->hang || r->drop);
}

void
rules_print(const rules_t *rules, buf_t *out)
{
    buf_char(out, '[');
    for (const rule_t *r = rules->first; r; r = r->next) {
        char ours[80];

        snprintf(ours, sizeof ours, "{\"id\":%ld,\"hits\":%ld}", r->id,
                 r->hits);
        if (r != rules->first) {
            buf_char(out, ',');
        }
        json_text_merge(out, str_of(r->text), str_of(ours));
    }
    buf_char(out, ']');
}
