/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small receiver of callbacks: verifies their signatures, counts them by webhook-id, and misbehaves on demand
 * (receiver/behave.h). For partners who want to see what arrives, for the demonstration and for tests.
 *
 *     POST /anything      a callback; 401 with the reason when its signature is wrong
 *     POST /push          messages for devices, as the cloud function of deploy/uniCloud takes them; also with words of
 *                         receiver/behave.h behind it
 *     GET /stats[?ids=1]  the counts as JSON
 *     POST /control       {"hang": false} answers all that hang and hangs no more, true hangs again; {"clear": true}
 *                         forgets the counts; {"mended": ["/shop", ...]} answers 200 on paths that begin so, whatever
 *                         they ask for, in place of the list before ([] = none)
 *
 * The key of a callback is its ce-partitionkey header, else "key" of a JSON body; its sequence number is ce-sequence,
 * else "seq" of the body. Bodies, ids and connections have ceilings. /stats and /control have no password.
 *
 * Thread: two of its own; the functions here may be called from any thread.
 */
#ifndef SLUICE_RECEIVER_RECEIVER_H
#define SLUICE_RECEIVER_RECEIVER_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/webhook.h"

#define RECEIVER_PLATFORMS_MAX 64
#define RECEIVER_IDS_MAX 100000 /* by default */
#define RECEIVER_BODY_BYTES_MAX ((size_t)4 << 20)
#define RECEIVER_CONNECTIONS_MAX 8192

/* Tried one after another, or only the one named by ?platform=. */
struct receiver_platform {
    const char *name;
    struct webhook_keys *keys;
};

struct receiver_options {
    const char *address;                       /* "127.0.0.1:7601"; port 0 = any */
    const struct receiver_platform *platforms; /* belong to the caller until stop; none = nothing is verified */
    size_t n_platforms;
    const char *push_secret;                         /* of /push, NULL = it is not verified; belongs to the caller */
    size_t ids_max;                                  /* 0 = RECEIVER_IDS_MAX */
    void (*on_line)(void *opaque, const char *line); /* a finished request as one line of JSON, or NULL; any thread */
    void *opaque;
};

struct receiver;

/* FATAL: a malformed address (ERR_CONFIG), the port is taken. */
enum rc receiver_start(const struct receiver_options *opt, struct receiver **out_receiver, struct err *err) MUST_USE;
struct receiver *receiver_stop(struct receiver *r);     /* accepts NULL, returns NULL */
const char *receiver_address(const struct receiver *r); /* where it listens; belongs to r */

/* What /stats answers. */
void receiver_stats(struct receiver *r, bool with_ids, struct buf *out);
/* What /control {"hang": ...} does. */
void receiver_hang(struct receiver *r, bool hang);

#endif
