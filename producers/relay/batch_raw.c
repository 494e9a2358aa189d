/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a raw source: their headers column, which is JSON, becomes headers; everything else travels as it is. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/batch_internal.h"

#define HEADER_NAME_MAX 255

static int digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

/* {"hex": "00ff"}: bytes that are no text. False = it is none. */
static bool add_hex(struct batch *b, const json_t *value, struct producer_header *out)
{
    const json_t *hex = json_object_get(value, "hex");
    size_t n = json_string_length(hex);
    const char *text = json_string_value(hex);

    if (!json_is_string(hex) || json_object_size(value) != 1 || n % 2 != 0) {
        return false;
    }
    char *bytes = arena_alloc(&b->arena, n / 2 + 1);
    for (size_t i = 0; i < n / 2; i++) {
        int high = digit(text[2 * i]);
        int low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i] = (char)(high * 16 + low);
    }
    out->value = bytes;
    out->value_len = n / 2;
    return true;
}

/* False = no header. */
static bool add_header(struct batch *b, const char *name, const json_t *value, struct producer_header *out)
{
    size_t n = name != NULL ? strlen(name) : 0;

    if (n == 0 || n > HEADER_NAME_MAX) {
        return false;
    }
    *out = (struct producer_header){.name = arena_strndup(&b->arena, name, n)};
    if (json_is_object(value)) {
        return add_hex(b, value, out);
    }
    if (json_is_string(value)) {
        out->value_len = json_string_length(value);
        out->value = arena_strndup(&b->arena, json_string_value(value), out->value_len);
        return true;
    }
    return json_is_null(value);
}

static bool add_object(struct batch *b, json_t *object, struct producer_header *list, size_t *n)
{
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach(object, name, value)
    {
        if (!add_header(b, name, value, &list[(*n)++])) {
            return false;
        }
    }
    return true;
}

static bool add_array(struct batch *b, const json_t *array, struct producer_header *list, size_t *n)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *pair = json_array_get(array, i);
        if (!json_is_array(pair) || json_array_size(pair) != 2 ||
            !add_header(b, json_string_value(json_array_get(pair, 0)), json_array_get(pair, 1), &list[(*n)++])) {
            return false;
        }
    }
    return true;
}

static bool add_headers(struct batch *b, struct row *r, json_t *root)
{
    size_t max = json_is_array(root) ? json_array_size(root) : json_object_size(root);
    size_t n = 0;

    if (max > RAW_HEADERS_MAX || (!json_is_array(root) && !json_is_object(root))) {
        return false;
    }
    struct producer_header *list = arena_alloc(&b->arena, (max + 1) * sizeof(*list));
    bool good = json_is_array(root) ? add_array(b, root, list, &n) : add_object(b, root, list, &n);
    r->own = list;
    r->n_own = good ? n : 0;
    return good;
}

static void read_headers(struct batch *b, struct row *r, const struct cell *cell)
{
    char why[192];

    if (cell->text == NULL) {
        return;
    }
    json_t *root = json_loadb(cell->text, cell->len, 0, NULL);
    if ((root == NULL || !add_headers(b, r, root)) && r->dead == NULL) {
        snprintf(
            why, sizeof(why),
            "column %s: expected an object or a list of [name, value] with at most %d text, null or {\"hex\": ...}",
            b->src->columns[b->src->headers_column].name, RAW_HEADERS_MAX);
        batch_mark_dead(b, r, "invalid-headers", why);
    }
    json_decref(root);
}

/* An integer of the database, so the digits are right; the broker's client says when there is no such partition. */
static void read_partition(struct batch *b, struct row *r, const struct cell *cell)
{
    char digits[16] = "";
    long n = 0;

    if (cell->text == NULL) {
        return;
    }
    memcpy(digits, cell->text, cell->len < sizeof(digits) - 1 ? cell->len : sizeof(digits) - 1);
    n = strtol(digits, NULL, 10);
    if (n >= 0) {
        r->partition = (int32_t)n;
    } else if (r->dead == NULL) {
        batch_mark_dead(b, r, "invalid-partition", "the partition is negative");
    }
}

void batch_add_record(struct batch *b, struct row *r, const struct row_cells *cells)
{
    if (b->src->headers_column >= 0) {
        read_headers(b, r, &cells->columns[b->src->headers_column]);
    }
    if (b->src->partition_column >= 0) {
        read_partition(b, r, &cells->columns[b->src->partition_column]);
    }
}
