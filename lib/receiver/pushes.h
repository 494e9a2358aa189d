/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages for devices that the receiver was given, by request_id: as a push provider, it takes one id once, whatever
 * comes again. Thread: the caller locks.
 */
#ifndef SLUICE_RECEIVER_PUSHES_H
#define SLUICE_RECEIVER_PUSHES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "receiver/names.h"

#define PUSHES_TEXT_MAX 128 /* of a title and a cid that are kept */

struct pushes_id {
    uint32_t attempts, accepted; /* accepted: how often it was answered as taken; the phone shows it once */
    char *cid, *title;
};

struct pushes {
    struct names names;
    struct pushes_id *ids;
    size_t cap;
    uint64_t requests, refused, messages; /* refused: by signature or form */
    uint64_t accepted;                    /* ids */
    uint64_t doubled;                     /* messages that came although their id was taken before */
    uint64_t overflow;                    /* messages without a place in here */
};

void pushes_init(struct pushes *p, size_t ids_max);
void pushes_done(struct pushes *p);
void pushes_clear(struct pushes *p);

/* A message has come. Returns its number, NAMES_NONE = there is no place. */
size_t pushes_begin(struct pushes *p, const char *request_id, const char *cid, const char *title);
/* It is answered as taken. */
void pushes_accept(struct pushes *p, size_t number);
/* One JSON object. */
void pushes_json(const struct pushes *p, bool with_ids, struct buf *out);

#endif
