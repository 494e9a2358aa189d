/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored calls, judged once more by this build as if they came again when they came: does it still say what was stored?
 * Reads only.
 */
#ifndef SLUICE_GATEWAY_REVERIFY_H
#define SLUICE_GATEWAY_REVERIFY_H

#include <libpq-fe.h>
#include <stdint.h>

#include "channel/account.h"
#include "gateway/raw_keys.h"

struct reverify_filter {
    const char *since;   /* a time as PostgreSQL reads it; NULL = all that is kept */
    const char *channel; /* NULL = all, as for the others */
    const char *account;
    const char *verdict; /* "ok", "conflict", "unknown_order" */
};

struct reverify_difference {
    const char *id, *channel, *account, *received_at;
    const char *what; /* "reason", "amount", ...; "unreadable": it could not be judged, now says why */
    const char *stored, *now;
};
/* Strings live during the call. */
typedef void (*reverify_fn)(void *opaque, const struct reverify_difference *d);

struct reverify_counts {
    int64_t looked_at, changed, unreadable;
};

enum rc reverify_run(PGconn *conn, const struct accounts *accounts, const struct raw_keys *keys,
                     const struct reverify_filter *filter, reverify_fn say, void *opaque,
                     struct reverify_counts *out_counts, struct err *err) MUST_USE;

#endif
