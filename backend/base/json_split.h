/*
 * The elements of a JSON array that is too large to be read as one document
 * (proto/json.h), each as its text. Only where an element ends is looked for:
 * whether it is JSON is for whoever reads it.
 */
#ifndef TURNUP_BASE_JSON_SPLIT_H
#define TURNUP_BASE_JSON_SPLIT_H

#include "proto/str.h"

typedef struct {
    str_t rest;
    bool begun;
} json_split_t;

/* text must outlive it. */
void json_split_init(json_split_t *s, str_t text);
/*
 * 1 with the next element in *ret; 0: the array is at its end, and nothing
 * stands behind it; -1: it is no array, or not whole. After 0 or -1 no more.
 */
int json_split_next(json_split_t *s, str_t *ret);

#endif
