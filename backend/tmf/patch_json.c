/*
 * JSON Patch: the operations, one after the other, on a copy of the document.
 *
 * The copy is made of the stored document's slices. What an operation comes
 * through loses its source text and is written anew in the end; all else is
 * written as it was. Each value that is put in place is a copy of its own, so
 * that no two places share what a later operation changes.
 */
#include "backend/tmf/patch_json.h"

#include <stdio.h>

#include "backend/tmf/patch.h"
#include "backend/tmf/patch_path.h"

#define REASON      "Invalid patch"
#define POINTER_MAX 24 /* "/999/value" */

typedef struct editor editor_t;
typedef struct operation operation_t;

/* An operation of RFC 6902 and what it needs. */
typedef struct {
    const char *name;
    bool (*run)(operation_t *op);
    bool has_value, has_from;
} operation_kind_t;

struct editor {
    arena_t *arena;
    json_t *root;
    tmf_error_t *err;
    int values;      /* put in place so far */
    int work;        /* values looked at so far */
    bool conditions; /* paths may have them */
};

struct operation {
    editor_t *editor;
    const operation_kind_t *kind;
    int index; /* of the patch */
    patch_path_t path, from;
    const json_t *value;
    char pointer[POINTER_MAX]; /* of the member spoken of last */
};

static const char *
point_at(operation_t *op, const char *member)
{
    snprintf(op->pointer, sizeof(op->pointer), "/%d%s%s", op->index,
             *member ? "/" : "", member);
    return op->pointer;
}

static bool
refuse(operation_t *op, const char *member, const char *message)
{
    tmf_error_set(op->editor->err, 400, TMF_CODE_FIELD_INVALID, REASON,
                  point_at(op, member), "%s", message);
    return false;
}

/* A copy in the arena, to be put below depth objects and arrays; NULL: the
 * document becomes too deep or too large. */
static json_t *
copy_value(operation_t *op, const json_t *v, int depth)
{
    editor_t *e = op->editor;
    json_t *copy, **link;

    if (depth == JSON_MAX_DEPTH &&
        (v->type == JSON_OBJECT || v->type == JSON_ARRAY)) {
        refuse(op, "path", "the document becomes too deep");
        return NULL;
    }
    if (e->values++ == PATCH_MAX_VALUES) {
        tmf_error_set(e->err, 413, TMF_CODE_TOO_LARGE, "Too large",
                      point_at(op, ""), "the patch adds more than %d values",
                      PATCH_MAX_VALUES);
        return NULL;
    }
    copy = arena_new(e->arena, json_t);
    *copy = *v;
    copy->next = NULL;
    copy->child = NULL;
    link = &copy->child;
    json_each(child, v)
    {
        *link = copy_value(op, child, depth + 1);
        if (!*link) {
            return NULL;
        }
        link = &(*link)->next;
    }
    return copy;
}

/* Puts a copy of v at the place, instead of what is there or before it. */
static bool
put(operation_t *op, const patch_place_t *at, const json_t *v, bool instead)
{
    json_t *was = *at->link;
    json_t *copy = copy_value(op, v, at->depth);

    if (!copy) {
        return false;
    }
    copy->name = at->name;
    copy->next = was && instead ? was->next : was;
    *at->link = copy;
    if (at->parent && !(was && instead)) {
        at->parent->count++;
    }
    return true;
}

static void
take_out(const patch_place_t *at)
{
    *at->link = (*at->link)->next;
    at->parent->count--;
}

static bool
add_at(void *ctx, const patch_place_t *at)
{
    operation_t *op = ctx;
    json_t *was = *at->link;
    bool is_element = at->parent && at->parent->type == JSON_ARRAY;

    if (is_element || !was || was->type != JSON_ARRAY ||
        op->value->type == JSON_ARRAY) {
        return put(op, at, op->value, !is_element);
    }
    /* TMF630: behind the last one */
    patch_place_t end = {
        .parent = was, .link = patch_path_end(was), .depth = at->depth + 1};

    was->raw = STR_NONE;
    return put(op, &end, op->value, false);
}

static bool
remove_at(void *ctx, const patch_place_t *at)
{
    if (!at->parent) {
        return refuse(ctx, "path", "the whole document cannot be removed");
    }
    take_out(at);
    return true;
}

static bool
replace_at(void *ctx, const patch_place_t *at)
{
    operation_t *op = ctx;

    return put(op, at, op->value, true);
}

static bool
test_at(void *ctx, const patch_place_t *at)
{
    operation_t *op = ctx;

    if (json_equal(*at->link, op->value)) {
        return true;
    }
    tmf_error_set(op->editor->err, 409, TMF_CODE_CONFLICT, "Test failed",
                  point_at(op, "value"), "the value at \"%.*s\" is another",
                  (int) (op->path.text.len < 64 ? op->path.text.len : 64),
                  op->path.text.data);
    return false;
}

/* The from of a copy or a move: one value, and it is taken out for a move. */
static bool
take_from(void *ctx, const patch_place_t *at)
{
    operation_t *op = ctx;

    if (op->value) {
        return refuse(op, "from", "from selects more than one value");
    }
    op->value = *at->link;
    return true;
}

static bool
move_from(void *ctx, const patch_place_t *at)
{
    if (!take_from(ctx, at)) {
        return false;
    }
    if (at->parent) {
        take_out(at);
    }
    return true;
}

static bool
walk(operation_t *op, const char *member, patch_walk_t how)
{
    editor_t *e = op->editor;

    how.pointer = point_at(op, member);
    how.missing = how.missing ? how.missing : 400;
    how.ctx = op;
    how.work = &e->work;
    return patch_path_walk(str_is(STR("from"), member) ? &op->from : &op->path,
                           &e->root, &how, e->err);
}

static bool
run_add(operation_t *op)
{
    return walk(
        op, "path",
        (patch_walk_t){.adds = true, .changes = true, .at_place = add_at});
}

static bool
run_remove(operation_t *op)
{
    return walk(op, "path",
                (patch_walk_t){.changes = true, .at_place = remove_at});
}

static bool
run_replace(operation_t *op)
{
    return walk(op, "path",
                (patch_walk_t){.changes = true, .at_place = replace_at});
}

static bool
run_test(operation_t *op)
{
    return walk(op, "path",
                (patch_walk_t){.missing = 409, .at_place = test_at});
}

/* The value is copied before the path is walked: its place may be within. */
static bool
run_copy(operation_t *op)
{
    if (!walk(op, "from", (patch_walk_t){.at_place = take_from})) {
        return false;
    }
    op->value = copy_value(op, op->value, 0);
    return op->value && run_add(op);
}

static bool
run_move(operation_t *op)
{
    if (str_eq(op->from.text, op->path.text)) {
        return walk(op, "from", (patch_walk_t){.at_place = take_from});
    }
    if (!op->from.query && patch_path_is_within(&op->path, &op->from)) {
        return refuse(op, "path", "a value cannot be moved into itself");
    }
    return walk(op, "from",
                (patch_walk_t){.changes = true, .at_place = move_from}) &&
           run_add(op);
}

static const operation_kind_t operation_kinds[] = {
    {"add", run_add, true, false},   {"remove", run_remove, false, false},
    {"test", run_test, true, false}, {"replace", run_replace, true, false},
    {"copy", run_copy, false, true}, {"move", run_move, false, true},
};

static const operation_kind_t *
find_kind(const json_t *v)
{
    size_t rows = sizeof(operation_kinds) / sizeof(operation_kinds[0]);

    for (size_t i = 0; v && v->type == JSON_STRING && i < rows; i++) {
        if (str_is(v->text, operation_kinds[i].name)) {
            return &operation_kinds[i];
        }
    }
    return NULL;
}

static bool
read_path(operation_t *op, const json_t *operation, const char *member,
          patch_path_t *ret)
{
    const json_t *v = json_get(operation, member);
    editor_t *e = op->editor;

    if (!v || v->type != JSON_STRING) {
        return refuse(op, member, "a JSON Pointer is mandatory here");
    }
    return patch_path_read(ret, e->arena, v->text, e->conditions,
                           point_at(op, member), e->err);
}

static bool
read_operation(operation_t *op, const json_t *operation)
{
    op->kind = find_kind(json_get(operation, "op"));
    op->value = NULL;
    if (operation->type != JSON_OBJECT) {
        return refuse(op, "", "an operation is an object");
    }
    if (!op->kind) {
        return refuse(op, "op",
                      "op is one of add, remove, replace, move, copy, test");
    }
    if (!read_path(op, operation, "path", &op->path)) {
        return false;
    }
    if (op->kind->has_value) {
        op->value = json_get(operation, "value");
        return op->value || refuse(op, "value", "value is mandatory");
    }
    return !op->kind->has_from || read_path(op, operation, "from", &op->from);
}

static void
write_value(buf_t *out, const json_t *v)
{
    if (v->raw.data) {
        buf_str(out, v->raw);
        return;
    }
    buf_char(out, v->type == JSON_OBJECT ? '{' : '[');
    json_each(child, v)
    {
        json_comma(out);
        if (v->type == JSON_OBJECT) {
            buf_json(out, child->name);
            buf_char(out, ':');
        }
        write_value(out, child);
    }
    buf_char(out, v->type == JSON_OBJECT ? '}' : ']');
}

static bool
run_all(editor_t *e, const json_t *patch)
{
    operation_t *op = arena_new(e->arena, operation_t);

    op->editor = e;
    json_each(operation, patch)
    {
        if (!read_operation(op, operation) || !op->kind->run(op)) {
            return false;
        }
        op->index++;
    }
    return true;
}

bool
patch_operations(buf_t *out, arena_t *a, const json_t *stored,
                 const json_t *patch, bool conditions, tmf_error_t *err)
{
    editor_t e = {.arena = a, .err = err, .conditions = conditions};
    operation_t whole = {.editor = &e};

    if (patch->type != JSON_ARRAY || patch->count > PATCH_MAX_OPERATIONS) {
        tmf_error_set(err, 400, TMF_CODE_BODY_INVALID, REASON, "",
                      "a JSON Patch is an array of at most %d operations",
                      PATCH_MAX_OPERATIONS);
        return false;
    }
    e.root = copy_value(&whole, stored, 0);
    if (!e.root) {
        return false;
    }
    e.values = 0;
    if (!run_all(&e, patch)) {
        return false;
    }
    write_value(out, e.root);
    return true;
}
