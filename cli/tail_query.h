/* SPDX-License-Identifier: Apache-2.0 */
/* What `sluice tail` was asked for. */
#ifndef SLUICE_CLI_TAIL_QUERY_H
#define SLUICE_CLI_TAIL_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"

enum tail_from {
    FROM_BEGINNING,
    FROM_END,
    FROM_OFFSET, /* from = the offset */
    FROM_LAST,   /* from = so many before the end */
    FROM_TIME    /* from = milliseconds since 1970 */
};

enum tail_until {
    UNTIL_END,    /* what was there when it started */
    UNTIL_OFFSET, /* the same, but not beyond `until` */
    UNTIL_NEVER
};

struct tail_query {
    enum tail_from from_kind;
    int64_t from;
    enum tail_until until_kind;
    int64_t until;          /* first offset that is not wanted */
    int32_t partition;      /* -1 = all */
    int64_t count_max;      /* records to print */
    const char *key;        /* NULL = any */
    char *where_field;      /* NULL = no such condition; owned */
    const char *where_text; /* what the field must be, as text */
    bool uncommitted;
    int timeout_ms; /* for the first answer and for each pause in between */
};

/* RC_REJECT: the text names the flag. Strings are borrowed from cli. */
enum rc tail_query_parse(const struct cli *cli, struct tail_query *q, struct err *err) MUST_USE;
void tail_query_done(struct tail_query *q);

#endif
