/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: sources_parse(), a file that an operator writes.
 *
 * Claims: OK or FATAL; a refusal names the file and says that the configuration is wrong; what is accepted is within
 * the ceilings, and every part a column plays names a column.
 */
#include <string.h>

#include "fuzz.h"
#include "relay/source.h"

static bool is_column(const struct source *src, int column)
{
    return column >= 0 && column < src->n_columns && src->columns[column].name[0] != '\0';
}

static void check(const struct source *src)
{
    CLAIM(src->n_columns >= 1 && src->n_columns <= SOURCE_COLUMNS_MAX);
    CLAIM(src->n_keys >= 1 && src->n_keys <= SOURCE_KEYS_MAX);
    CLAIM(src->n_fields >= 1 && src->n_fields <= SOURCE_COLUMNS_MAX);
    CLAIM(src->n_headers <= SOURCE_HEADERS_MAX);
    CLAIM(is_column(src, src->id) && is_column(src, src->type) && is_column(src, src->payload));
    CLAIM(is_column(src, src->time) && src->columns[src->time].micros);
    CLAIM((src->topic == NULL) != (src->topic_column < 0));
    CLAIM(src->topic != NULL || is_column(src, src->topic_column));
    for (int i = 0; i < src->n_keys; i++) {
        CLAIM(is_column(src, src->key[i]));
    }
    for (int i = 0; i < src->n_fields; i++) {
        CLAIM(is_column(src, src->fields[i].column));
    }
    for (int i = 0; i < src->n_headers; i++) {
        CLAIM(is_column(src, src->headers[i].column) && strncmp(src->headers[i].name, "ce_", 3) != 0);
    }
    /* These go into SQL as literals. */
    CLAIM(strpbrk(src->name, "'\"\\") == NULL && strpbrk(src->table, "'\"\\") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sources *s = NULL;
    struct err err = {0};
    enum rc rc = sources_parse((const char *)data, size, "my.json", &s, &err);

    CLAIM(rc == RC_OK || rc == RC_FATAL);
    if (rc == RC_FATAL) {
        CLAIM(s == NULL && strncmp(err.text, "my.json: ", 9) == 0 && err_is_config(&err));
        return 0;
    }
    CLAIM(s->n >= 1 && s->n <= SOURCE_MAX);
    for (int i = 0; i < s->n; i++) {
        check(&s->list[i]);
    }
    sources_free(s);
    return 0;
}
