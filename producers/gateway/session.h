/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of the gateway's threads. Every statement has a deadline on this side too: a server that is frozen, or a
 * network that swallows everything, must not hold a request for ever.
 *
 * Thread: one at a time per session.
 */
#ifndef SLUICE_GATEWAY_SESSION_H
#define SLUICE_GATEWAY_SESSION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct session_options {
    const char *url;
    const char *schema;
    int64_t statement_timeout_ms; /* the server's; ours is SESSION_SLACK_MS longer */
};
#define SESSION_SLACK_MS 3000

#define SESSION_PREPARED_MAX 8

struct session {
    const struct session_options *opt;
    PGconn *conn; /* NULL = closed */
    const char *prepared[SESSION_PREPARED_MAX];
    bool has_identities; /* store_devices.c has looked at what push_devices takes */
    int identities[2];
};

/*
 * Opens the session if it is closed, and checks that what is written there can be durable: a primary, the tables,
 * synchronous_commit not off. RETRY: away. FATAL: the URL (code ERR_CONFIG), or tables are missing.
 */
enum rc session_open(struct session *s, struct err *err) MUST_USE;
void session_close(struct session *s);

/* As pg_query(). RETRY with code "timeout" when no answer came in time. Once the session is lost it is closed. */
enum rc session_query(struct session *s, const char *sql, int n, const char *const *params, PGresult **out_res,
                      struct err *err) MUST_USE;

/*
 * The same for a statement that is made again and again, and takes longer to plan than to execute: planned once a
 * session. sql is known by its address; at most SESSION_PREPARED_MAX of them.
 */
enum rc session_query_again(struct session *s, const char *sql, int n, const char *const *params, PGresult **out_res,
                            struct err *err) MUST_USE;

/*
 * For a session that nobody has used for a while: does the server answer, and is it still the primary? Else RETRY, and
 * the session is closed.
 */
enum rc session_probe(struct session *s, struct err *err) MUST_USE;

#endif
