/* rooms: proto backend/base backend/domain backend/tmf */
/*
 * PATCH: what each dialect makes of a document, what it refuses and where it
 * points then, and that nothing else of the document changes its spelling.
 */
#include "t/unit/tmf_check.h"

#include "backend/tmf/patch.h"
#include "backend/tmf/patch_json.h"

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static tmf_error_t fault;

static bool
apply(patch_kind_t kind, const char *doc, const char *patch)
{
    fault = (tmf_error_t){0};
    buf_reset(&out);
    return patch_apply(&out, arena, tree(doc), tree(patch), kind, &fault);
}

/* result: exactly this text, with ' for "; or NULL, and then the fault. */
typedef struct {
    const char *doc, *patch, *result;
    int status;
    const char *pointer;
} row_t;

static void
check_rows(patch_kind_t kind, const row_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool good = apply(kind, rows[i].doc, rows[i].patch);

        if (good != (rows[i].result != NULL)) {
            fail_msg("%s on %s: %s", rows[i].patch, rows[i].doc,
                     good ? "is taken" : fault.message);
        }
        if (good) {
            assert_string_equal(out.data, json_of(rows[i].result).data);
            continue;
        }
        assert_int_equal(out.len, 0);
        assert_true(fault.message[0] != '\0');
        if (fault.status != rows[i].status ||
            strcmp(fault.pointer, rows[i].pointer) != 0) {
            fail_msg("%s on %s: %d at \"%s\": %s", rows[i].patch, rows[i].doc,
                     fault.status, fault.pointer, fault.message);
        }
    }
}

/* The situations of RFC 7386's appendix A. */
static const row_t merges[] = {
    {"{'a':'b'}", "{'a':'c'}", "{'a':'c'}", 0, NULL},
    {"{'a':'b'}", "{'n':'c'}", "{'a':'b','n':'c'}", 0, NULL},
    {"{'a':'b'}", "{'a':null}", "{}", 0, NULL},
    {"{'a':'b','n':'c'}", "{'a':null}", "{'n':'c'}", 0, NULL},
    {"{'a':['b']}", "{'a':'c'}", "{'a':'c'}", 0, NULL},
    {"{'a':'c'}", "{'a':['b']}", "{'a':['b']}", 0, NULL},
    {"{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}", 0,
     NULL},
    {"{'a':[{'b':'c'}]}", "{'a':[1]}", "{'a':[1]}", 0, NULL},
    {"{'e':null}", "{'a':1}", "{'e':null,'a':1}", 0, NULL},
    {"[1,2]", "{'a':'b','c':null}", "{'a':'b'}", 0, NULL},
    {"{}", "{'a':{'b':{'c':null}}}", "{'a':{'b':{}}}", 0, NULL},
    {"{'a':'x'}", "{'a':{'b':null,'c':1}}", "{'a':{'c':1}}", 0, NULL},
    {"{'a':1}", "{}", "{'a':1}", 0, NULL},
    /* a resource is replaced by nothing that is none */
    {"{'a':'b'}", "['c']", NULL, 400, ""},
    {"{'a':'b'}", "null", NULL, 400, ""},
    {"{'a':'b'}", "'c'", NULL, 400, ""},
};

static void
merges_as_rfc_7386(void **state)
{
    (void) state;
    check_rows(PATCH_MERGE, merges, ROWS(merges));
}

#define OP(name, rest) "{'op':'" name "'," rest "}"

/* The situations of RFC 6902's appendix A. */
static const row_t appendix[] = {
    /* A.1 to A.5: add, remove, replace */
    {"{'k':1}", "[" OP("add", "'path':'/n','value':2") "]", "{'k':1,'n':2}", 0,
     NULL},
    {"{'k':[1,3]}", "[" OP("add", "'path':'/k/1','value':2") "]",
     "{'k':[1,2,3]}", 0, NULL},
    {"{'k':1,'n':2}", "[" OP("remove", "'path':'/n'") "]", "{'k':1}", 0, NULL},
    {"{'k':[1,2,3]}", "[" OP("remove", "'path':'/k/1'") "]", "{'k':[1,3]}", 0,
     NULL},
    {"{'k':1,'n':2}", "[" OP("replace", "'path':'/k','value':7") "]",
     "{'k':7,'n':2}", 0, NULL},
    /* A.6, A.7: move */
    {"{'k':{'a':1,'b':2},'n':{'c':3}}",
     "[" OP("move", "'from':'/k/b','path':'/n/d'") "]",
     "{'k':{'a':1},'n':{'c':3,'d':2}}", 0, NULL},
    {"{'k':[1,2,3,4]}", "[" OP("move", "'from':'/k/1','path':'/k/3'") "]",
     "{'k':[1,3,4,2]}", 0, NULL},
    /* A.8, A.9: test */
    {"{'k':'v','n':['a',2]}",
     "[" OP("test", "'path':'/k','value':'v'") "," OP(
         "test", "'path':'/n/1','value':2") "]",
     "{'k':'v','n':['a',2]}", 0, NULL},
    {"{'k':'v'}", "[" OP("test", "'path':'/k','value':'w'") "]", NULL, 409,
     "/0/value"},
    /* A.10: a new object in the document; A.11: what is not known */
    {"{'k':1}", "[" OP("add", "'path':'/n','value':{'a':{}}") "]",
     "{'k':1,'n':{'a':{}}}", 0, NULL},
    {"{'k':1}", "[" OP("add", "'path':'/n','value':2,'xyz':3") "]",
     "{'k':1,'n':2}", 0, NULL},
    /* A.12: where there is nothing to add to */
    {"{'k':1}", "[" OP("add", "'path':'/n/a','value':2") "]", NULL, 400,
     "/0/path"},
    /* A.14, A.15: "~" and "/", texts and numbers */
    {"{'/':9,'~1':10}", "[" OP("test", "'path':'/~01','value':10") "]",
     "{'/':9,'~1':10}", 0, NULL},
    {"{'/':9,'~1':10}", "[" OP("test", "'path':'/~01','value':'10'") "]", NULL,
     409, "/0/value"},
    /* A.16: behind the last one */
    {"{'k':['a']}", "[" OP("add", "'path':'/k/-','value':['b','c']") "]",
     "{'k':['a',['b','c']]}", 0, NULL},
};

static void
patches_as_rfc_6902(void **state)
{
    (void) state;
    check_rows(PATCH_JSON, appendix, ROWS(appendix));
    check_rows(PATCH_QUERY, appendix, ROWS(appendix));
}

static const row_t operations[] = {
    {"{'k':1}", "[]", "{'k':1}", 0, NULL},
    {"{'k':1}", "[" OP("add", "'path':'/k','value':null") "]", "{'k':null}", 0,
     NULL},
    {"{'k':1}", "[" OP("add", "'path':'','value':{'n':2}") "]", "{'n':2}", 0,
     NULL},
    {"{'k':1}", "[" OP("replace", "'path':'','value':[]") "]", "[]", 0, NULL},
    {"{'k':1}", "[" OP("test", "'path':'','value':{'k':1.0}") "]", "{'k':1}",
     0, NULL},
    {"{'':1}", "[" OP("remove", "'path':'/'") "]", "{}", 0, NULL},
    {"{'a/b':{'m~n':1}}", "[" OP("remove", "'path':'/a~1b/m~0n'") "]",
     "{'a/b':{}}", 0, NULL},
    {"{'k':[1]}", "[" OP("add", "'path':'/k/1','value':2") "]", "{'k':[1,2]}",
     0, NULL},
    {"{'0':1}", "[" OP("add", "'path':'/0','value':2") "]", "{'0':2}", 0,
     NULL},
    {"{'k':[{'n':1}]}", "[" OP("replace", "'path':'/k/0/n','value':2") "]",
     "{'k':[{'n':2}]}", 0, NULL},
    {"{'a':{'b':1}}", "[" OP("copy", "'from':'/a','path':'/a/b'") "]",
     "{'a':{'b':{'b':1}}}", 0, NULL},
    {"{'a':{'b':1}}",
     "[" OP("copy", "'from':'/a','path':'/c'") "," OP(
         "replace", "'path':'/c/b','value':2") "]",
     "{'a':{'b':1},'c':{'b':2}}", 0, NULL},
    {"{'a':1}", "[" OP("copy", "'from':'','path':'/b'") "]",
     "{'a':1,'b':{'a':1}}", 0, NULL},
    {"{'a':1,'b':2}", "[" OP("move", "'from':'/a','path':'/a'") "]",
     "{'a':1,'b':2}", 0, NULL},
    {"{'a':{'x':1},'b':2}", "[" OP("move", "'from':'/a','path':''") "]",
     "{'x':1}", 0, NULL},
    {"{'k':[1,2]}",
     "[{'op':'remove','path':'/k/0'},{'op':'test','path':'/k','value':[2]},"
     "{'op':'add','path':'/k/-','value':3},{'op':'test','path':'','value':"
     "{'k':[2,3]}}]",
     "{'k':[2,3]}", 0, NULL},
    /* steps that begin alike are not the same place */
    {"{'a':1,'ab':{}}", "[" OP("move", "'from':'/a','path':'/ab/c'") "]",
     "{'ab':{'c':1}}", 0, NULL},
    /* TMF630: with the path of a list */
    {"{'k':[1]}", "[" OP("add", "'path':'/k','value':{'n':2}") "]",
     "{'k':[1,{'n':2}]}", 0, NULL},
    {"{'k':[]}",
     "[" OP("add", "'path':'/k','value':1") "," OP(
         "add", "'path':'/k','value':2") "]",
     "{'k':[1,2]}", 0, NULL},
    {"{'k':[1]}", "[" OP("add", "'path':'/k','value':[2]") "]", "{'k':[2]}", 0,
     NULL},
    {"{'k':[1],'n':2}", "[" OP("copy", "'from':'/n','path':'/k'") "]",
     "{'k':[1,2],'n':2}", 0, NULL},
    {"{'k':[[1]]}", "[" OP("add", "'path':'/k/0','value':2") "]",
     "{'k':[2,[1]]}", 0, NULL},
    {"{'k':[1]}", "[" OP("replace", "'path':'/k','value':2") "]", "{'k':2}", 0,
     NULL},
};

static void
does_all_operations(void **state)
{
    (void) state;
    check_rows(PATCH_JSON, operations, ROWS(operations));
    check_rows(PATCH_QUERY, operations, ROWS(operations));
}

static const row_t refusals[] = {
    {"{}", "{}", NULL, 400, ""},
    {"{}", "null", NULL, 400, ""},
    {"{}", "[1]", NULL, 400, "/0"},
    {"{}", "[[]]", NULL, 400, "/0"},
    {"{}", "[{'path':'/a'}]", NULL, 400, "/0/op"},
    {"{}", "[" OP("Add", "'path':'/a','value':1") "]", NULL, 400, "/0/op"},
    {"{}", "[{'op':1,'path':'/a'}]", NULL, 400, "/0/op"},
    {"{'a':1}", "[" OP("remove", "'x':1") "]", NULL, 400, "/0/path"},
    {"{'a':1}", "[" OP("remove", "'path':['a']") "]", NULL, 400, "/0/path"},
    {"{'a':1}", "[" OP("add", "'path':'/b'") "]", NULL, 400, "/0/value"},
    {"{'a':1}", "[" OP("replace", "'path':'/a'") "]", NULL, 400, "/0/value"},
    {"{'a':1}", "[" OP("test", "'path':'/a'") "]", NULL, 400, "/0/value"},
    {"{'a':1}", "[" OP("move", "'path':'/b'") "]", NULL, 400, "/0/from"},
    {"{'a':1}", "[" OP("copy", "'path':'/b','from':null") "]", NULL, 400,
     "/0/from"},
    /* no pointers */
    {"{'a':1}", "[" OP("remove", "'path':'a'") "]", NULL, 400, "/0/path"},
    {"{'a~2':1}", "[" OP("remove", "'path':'/a~2'") "]", NULL, 400, "/0/path"},
    {"{'a~':1}", "[" OP("remove", "'path':'/a~'") "]", NULL, 400, "/0/path"},
    {"{'a':1}", "[" OP("copy", "'path':'/b','from':'a'") "]", NULL, 400,
     "/0/from"},
    /* nothing there */
    {"{'a':1}", "[" OP("remove", "'path':'/b'") "]", NULL, 400, "/0/path"},
    {"{'a':1}", "[" OP("replace", "'path':'/b','value':1") "]", NULL, 400,
     "/0/path"},
    {"{'a':1}", "[" OP("move", "'from':'/b','path':'/a'") "]", NULL, 400,
     "/0/from"},
    {"{'a':1}", "[" OP("copy", "'from':'/a/b','path':'/a'") "]", NULL, 400,
     "/0/from"},
    {"{'a':1}", "[" OP("test", "'path':'/b','value':null") "]", NULL, 409,
     "/0/path"},
    {"{'a':'b'}", "[" OP("add", "'path':'/a/b','value':1") "]", NULL, 400,
     "/0/path"},
    /* elements */
    {"{'a':[1]}", "[" OP("add", "'path':'/a/2','value':1") "]", NULL, 400,
     "/0/path"},
    {"{'a':[1,2]}", "[" OP("remove", "'path':'/a/2'") "]", NULL, 400,
     "/0/path"},
    {"{'a':[1,2]}", "[" OP("remove", "'path':'/a/01'") "]", NULL, 400,
     "/0/path"},
    {"{'a':[1,2]}", "[" OP("remove", "'path':'/a/+1'") "]", NULL, 400,
     "/0/path"},
    {"{'a':[1,2]}", "[" OP("remove", "'path':'/a/'") "]", NULL, 400,
     "/0/path"},
    {"{'a':[1,2]}", "[" OP("remove", "'path':'/a/4294967296'") "]", NULL, 400,
     "/0/path"},
    {"{'a':[1]}", "[" OP("remove", "'path':'/a/-'") "]", NULL, 400, "/0/path"},
    {"{'a':[1]}", "[" OP("replace", "'path':'/a/-','value':1") "]", NULL, 400,
     "/0/path"},
    {"{'a':[{}]}", "[" OP("add", "'path':'/a/-/b','value':1") "]", NULL, 400,
     "/0/path"},
    {"{'a':[{'b':1}]}", "[" OP("remove", "'path':'/a/b'") "]", NULL, 400,
     "/0/path"},
    /* the whole */
    {"{'a':1}", "[" OP("remove", "'path':''") "]", NULL, 400, "/0/path"},
    {"{'a':{}}", "[" OP("move", "'from':'/a','path':'/a/b'") "]", NULL, 400,
     "/0/path"},
    {"{'a':[[1],[2]]}", "[" OP("move", "'from':'/a/0','path':'/a/0/0'") "]",
     NULL, 400, "/0/path"},
    {"{'a':1}", "[" OP("move", "'from':'','path':'/b'") "]", NULL, 400,
     "/0/path"},
    /* all or nothing; the second one is named */
    {"{'a':1}",
     "[" OP("replace", "'path':'/a','value':2") "," OP("remove",
                                                       "'path':'/b'") "]",
     NULL, 400, "/1/path"},
};

static void
refuses_and_points(void **state)
{
    (void) state;
    check_rows(PATCH_JSON, refusals, ROWS(refusals));
    check_rows(PATCH_QUERY, refusals, ROWS(refusals));
}

#define NOTES                                         \
    "{'note':[{'author':'John','text':'a','id':1.0}," \
    "{'author':'Mary','text':'b'},{'author':'John','text':'c','id':2}]}"
#define ITEMS                                                    \
    "{'item':[{'id':'1','x':{'party':[{'role':'a','n':1},"       \
    "{'role':'b','n':2}]}},{'id':'2','x':{'party':[{'role':'a'," \
    "'n':3}]}}]}"

static const row_t queries[] = {
    {NOTES,
     "[" OP("replace", "'path':'/note/text?note.author=Mary','value':'z'") "]",
     "{'note':[{'author':'John','text':'a','id':1.0},{'author':'Mary',"
     "'text':'z'},{'author':'John','text':'c','id':2}]}",
     0, NULL},
    /* each that is selected */
    {NOTES, "[" OP("remove", "'path':'/note?note.author=John'") "]",
     "{'note':[{'author':'Mary','text':'b'}]}", 0, NULL},
    {NOTES,
     "[" OP("add", "'path':'/note/seen?note.author=John','value':true") "]",
     "{'note':[{'author':'John','text':'a','id':1.0,'seen':true},{'author':"
     "'Mary','text':'b'},{'author':'John','text':'c','id':2,'seen':true}]}",
     0, NULL},
    {NOTES, "[" OP("replace", "'path':'/note?note.author=John','value':7") "]",
     "{'note':[7,{'author':'Mary','text':'b'},7]}", 0, NULL},
    {NOTES,
     "[" OP("remove", "'path':'/note?note.author=John&note.text=c'") "]",
     "{'note':[{'author':'John','text':'a','id':1.0},{'author':'Mary','text':"
     "'b'}]}",
     0, NULL},
    {NOTES, "[" OP("remove", "'path':'/note?note.id=1.0'") "]",
     "{'note':[{'author':'Mary','text':'b'},{'author':'John','text':'c',"
     "'id':2}]}",
     0, NULL},
    {NOTES, "[" OP("remove", "'path':'/note?note.text=a,b'") "]",
     "{'note':[{'author':'John','text':'c','id':2}]}", 0, NULL},
    {NOTES,
     "[" OP("test", "'path':'/note/author?note.text=%62','value':'Mary'") "]",
     NOTES, 0, NULL},
    {NOTES,
     "[" OP("move", "'from':'/note?note.author=Mary','path':'/note/0'") "]",
     "{'note':[{'author':'Mary','text':'b'},{'author':'John','text':'a','id':"
     "1.0},{'author':'John','text':'c','id':2}]}",
     0, NULL},
    {NOTES, "[" OP("copy", "'from':'/note/text?note.id=2','path':'/last'") "]",
     "{'note':[{'author':'John','text':'a','id':1.0},{'author':'Mary','text':"
     "'b'},{'author':'John','text':'c','id':2}],'last':'c'}",
     0, NULL},
    {"{'tag':['a','b']}", "[" OP("remove", "'path':'/tag?tag=a'") "]",
     "{'tag':['b']}", 0, NULL},
    {"{'k':[1]}", "[" OP("add", "'path':'/k','value':2") "]", "{'k':[1,2]}", 0,
     NULL},
    /* lists within lists */
    {ITEMS,
     "[" OP("replace",
            "'path':'/item/x/party/n?item.id=1&item.x.party.role=b',"
            "'value':9") "]",
     "{'item':[{'id':'1','x':{'party':[{'role':'a','n':1},{'role':'b','n':9}]}"
     "},{'id':'2','x':{'party':[{'role':'a','n':3}]}}]}",
     0, NULL},
    {ITEMS, "[" OP("remove", "'path':'/item?item.x.party.n=2'") "]",
     "{'item':[{'id':'2','x':{'party':[{'role':'a','n':3}]}}]}", 0, NULL},
    {ITEMS, "[" OP("remove", "'path':'/item/1/x/party?item.x.party.n=3'") "]",
     "{'item':[{'id':'1','x':{'party':[{'role':'a','n':1},{'role':'b','n':2}]}"
     "},{'id':'2','x':{'party':[]}}]}",
     0, NULL},
    /* refused */
    {NOTES, "[" OP("remove", "'path':'/note?note.author=Bob'") "]", NULL, 400,
     "/0/path"},
    {NOTES, "[" OP("test", "'path':'/note?note.author=Bob','value':1") "]",
     NULL, 409, "/0/path"},
    {NOTES, "[" OP("remove", "'path':'/note/id?note.author=Mary'") "]", NULL,
     400, "/0/path"},
    {NOTES, "[" OP("remove", "'path':'/note/text'") "]", NULL, 400, "/0/path"},
    {NOTES, "[" OP("remove", "'path':'/note/0?party.id=1'") "]", NULL, 400,
     "/0/path"},
    {NOTES, "[" OP("remove", "'path':'/note/0?author=John'") "]", NULL, 400,
     "/0/path"},
    {NOTES, "[" OP("add", "'path':'/note?note.author=John','value':{}") "]",
     NULL, 400, "/0/path"},
    {NOTES, "[" OP("move", "'from':'/note?note.author=John','path':'/x'") "]",
     NULL, 400, "/0/from"},
    {NOTES, "[" OP("remove", "'path':'/note?'") "]", NULL, 400, "/0/path"},
    {NOTES, "[" OP("remove", "'path':'/note?note.author'") "]", NULL, 400,
     "/0/path"},
    {NOTES, "[" OP("remove", "'path':'/note?note.id.gt=1'") "]", NULL, 400,
     "/0/path"},
    {NOTES, "[" OP("remove", "'path':'/note?note.id=%zz'") "]", NULL, 400,
     "/0/path"},
    {NOTES, "[" OP("remove", "'path':'/note?limit=1'") "]", NULL, 400,
     "/0/path"},
    {NOTES, "[" OP("remove", "'path':'/note?note.author=John&fields=id'") "]",
     NULL, 400, "/0/path"},
    {NOTES, "[" OP("copy", "'from':'/note?note.id=3','path':'/x'") "]", NULL,
     400, "/0/from"},
};

static void
selects_by_conditions(void **state)
{
    (void) state;
    check_rows(PATCH_QUERY, queries, ROWS(queries));
    /* a "?" is a letter like another in RFC 6902 */
    assert_true(apply(PATCH_JSON, "{'a?b=c':1}",
                      "[" OP("remove", "'path':'/a?b=c'") "]"));
    assert_string_equal(out.data, "{}");
}

static const char spelt[] = "{ 'n' : 1.50e+01, 't' : [ '\\u0061\\/' , 2.0 ],"
                            "\n'o' : { 'z' : -0.0 , 'y' : [ ] } }";

static void
keeps_the_spelling(void **state)
{
    (void) state;
    assert_true(apply(PATCH_JSON, spelt, "[]"));
    assert_string_equal(out.data, json_of(spelt).data);
    assert_true(apply(PATCH_JSON, spelt,
                      "[" OP("test", "'path':'/o/z','value':0") "]"));
    assert_string_equal(out.data, json_of(spelt).data);
    assert_true(apply(PATCH_JSON, spelt,
                      "[" OP("add", "'path':'/o/x','value': [1.0] ") "]"));
    assert_string_equal(
        out.data,
        json_of("{'n':1.50e+01,'t':[ '\\u0061\\/' , 2.0 ],'o':{'z':-0.0,"
                "'y':[ ],'x':[1.0]}}")
            .data);
    assert_true(apply(PATCH_MERGE, spelt, "{'o':{'y':null}}"));
    assert_string_equal(out.data,
                        json_of("{'n':1.50e+01,'t':[ '\\u0061\\/' , 2.0 ],"
                                "'o':{'z':-0.0}}")
                            .data);
}

/* A patch of so many operations, or of so many times a few. */
static bool
repeats(const char *doc, const char *few, int times)
{
    buf_t patch;
    bool good;

    buf_init(&patch, 16 << 20);
    for (int i = 0; i < times; i++) {
        buf_puts(&patch, i ? "," : "[");
        buf_puts(&patch, few);
    }
    buf_puts(&patch, "]");
    good = apply(PATCH_QUERY, doc, patch.data);
    buf_free(&patch);
    return good;
}

#define ONE_DEEPER                                                        \
    OP("move", "'from':'/a','path':'/b'")                                 \
    "," OP("add", "'path':'/a','value':[]") "," OP("move", "'from':'/b'," \
                                                           "'path':'/a/-'")

static void
does_not_grow_without_bound(void **state)
{
    (void) state;
    assert_true(repeats("{'a':[]}", ONE_DEEPER, JSON_MAX_DEPTH - 2));
    assert_non_null(json_parse(arena, buf_view(&out), NULL));
    assert_false(repeats("{'a':[]}", ONE_DEEPER, JSON_MAX_DEPTH - 1));
    assert_int_equal(fault.status, 400);
    assert_string_equal(fault.pointer, "/92/path");
    /* twice as large each time */
    assert_false(repeats("{'a':['x','y']}",
                         OP("copy", "'from':'/a','path':'/a/-'"), 25));
    assert_int_equal(fault.status, 413);
}

static char *
text_of_length(size_t len)
{
    char *text = arena_alloc(arena, len + 1);

    memset(text, 'x', len);
    return text;
}

static void
refuses_what_becomes_too_large(void **state)
{
    (void) state;
    const char *text = text_of_length(1 << 20);
    const char *doc = arena_printf(arena, "{'a':'%s'}", text).data;

    assert_true(
        apply(PATCH_JSON, doc, "[" OP("copy", "'from':'/a','path':'/b'") "]"));
    assert_true(out.len > 2 << 20);
    assert_false(apply(
        PATCH_JSON, doc,
        "[" OP("copy", "'from':'/a','path':'/b'") "," OP(
            "copy",
            "'from':'/a','path':'/c'") "," OP("copy",
                                              "'from':'/a','path':'/d'") "]"));
    assert_int_equal(fault.status, 413);
    assert_int_equal(out.len, 0);
    const char *other =
        arena_printf(arena, "{'b':'%s','c':'%s','d':'%s'}", text, text, text)
            .data;
    assert_false(apply(PATCH_MERGE, doc, other));
    assert_int_equal(fault.status, 413);
    assert_int_equal(out.len, 0);
}

static void
bounds_the_work(void **state)
{
    (void) state;
    buf_t list;

    assert_true(repeats("{'a':1}", OP("test", "'path':'/a','value':1"),
                        PATCH_MAX_OPERATIONS));
    assert_false(repeats("{'a':1}", OP("test", "'path':'/a','value':1"),
                         PATCH_MAX_OPERATIONS + 1));
    assert_int_equal(fault.status, 400);
    assert_string_equal(fault.pointer, "");

    buf_init(&list, 16 << 20);
    for (int i = 0; i < JSON_MAX_ELEMENTS; i++) {
        buf_puts(&list, i ? ",{'n':1}" : "{'a':[{'n':1}");
    }
    buf_puts(&list, "]}");
    assert_true(
        repeats(list.data, OP("replace", "'path':'/a/n?a.n=1','value':1"), 3));
    assert_false(
        repeats(list.data, OP("test", "'path':'/a/m?a.n=1','value':1"), 1));
    assert_int_equal(fault.status, 409);
    assert_false(
        repeats(list.data, OP("test", "'path':'/a/n?a.n=1','value':1"), 200));
    assert_int_equal(fault.status, 413);
    buf_free(&list);
}

static void
knows_the_media_types(void **state)
{
    static const struct {
        const char *type;
        int kind;
    } types[] = {
        {"application/merge-patch+json", PATCH_MERGE},
        {"application/json", PATCH_MERGE},
        {"application/json;charset=utf-8", PATCH_MERGE},
        {"application/json-patch+json", PATCH_JSON},
        {"Application/JSON-Patch+json ; charset=utf-8", PATCH_JSON},
        {"application/json-patch-query+json", PATCH_QUERY},
        {"", -1},
        {";", -1},
        {"text/plain", -1},
        {"application/json-patch", -1},
        {"application/json-patch+jsonx", -1},
        {"application/xml;application/json", -1},
    };

    (void) state;
    for (size_t i = 0; i < ROWS(types); i++) {
        patch_kind_t kind = PATCH_QUERY;
        bool known = patch_kind_of(str_of(types[i].type), &kind);

        assert_int_equal(known, types[i].kind >= 0);
        if (known) {
            assert_int_equal(kind, types[i].kind);
        }
    }
    assert_false(patch_kind_of(STR_NONE, &(patch_kind_t){0}));
}

#define ORDER                                                             \
    "{'id':'7','orderDate':'2030-01-01T00:00:00.000Z','state':'held',"    \
    "'category':'c','serviceOrderItem':[{'id':'1','action':'add','state'" \
    ":'held','service':{}}]}"

static bool
check(const char *patch)
{
    const resource_t *r = resource_find(API_ORDERING, STR("serviceOrder"));

    assert_true(apply(PATCH_MERGE, ORDER, patch));
    return patch_check(r->create, TMF_V4, tree(ORDER), buf_view(&out), &fault);
}

/* What a table says of a resource's PATCH. */
static void
checks_the_result(void **state)
{
    static const struct {
        const char *patch, *pointer;
    } bad[] = {
        {"{'id':'8'}", "/id"},
        {"{'id':null}", "/id"},
        {"{'orderDate':'2030-01-01T00:00:00Z'}", "/orderDate"},
        {"{'category':null}", "/category"},
        {"{'category':7}", "/category"},
        {"{'completionDate':'2030-01-01T00:00:00Z'}", "/completionDate"},
        {"{'milestone':[{'name':'m'}]}", "/milestone"},
        {"{'href':'/serviceOrder/8'}", "/href"},
        {"{'href':7}", "/href"},
        {"{'state':'done'}", "/state"},
        {"{'serviceOrderItem':null}", "/serviceOrderItem"},
        {"{'serviceOrderItem':[]}", "/serviceOrderItem"},
        {"{'serviceOrderItem':[{'id':'1'}]}", "/serviceOrderItem/0/action"},
        {"{'note':[{'author':'a'}]}", "/note/0/text"},
        {"{'requestedStartDate':'soon'}", "/requestedStartDate"},
    };

    (void) state;
    assert_true(check("{}"));
    assert_true(check("{'state':'cancelled','category':'c','id':'7','href':"
                      "'https://h/serviceOrder/7','milestone':null}"));
    assert_true(check("{'note':[{'text':'t'}],'description':'d'}"));
    for (size_t i = 0; i < ROWS(bad); i++) {
        if (check(bad[i].patch)) {
            fail_msg("%s is taken", bad[i].patch);
        }
        assert_int_equal(fault.status, 400);
        assert_string_equal(fault.pointer, bad[i].pointer);
    }
    const resource_t *r = resource_find(API_ORDERING, STR("serviceOrder"));
    assert_false(
        patch_check(r->create, TMF_V4, tree(ORDER), STR("[]"), &fault));
    assert_int_equal(fault.status, 400);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(merges_as_rfc_7386),
        CHECK_TEST(patches_as_rfc_6902),
        CHECK_TEST(does_all_operations),
        CHECK_TEST(refuses_and_points),
        CHECK_TEST(selects_by_conditions),
        CHECK_TEST(keeps_the_spelling),
        CHECK_TEST(does_not_grow_without_bound),
        CHECK_TEST(refuses_what_becomes_too_large),
        CHECK_TEST(bounds_the_work),
        CHECK_TEST(knows_the_media_types),
        CHECK_TEST(checks_the_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
