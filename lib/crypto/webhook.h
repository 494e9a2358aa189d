/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard Webhooks 1.0: signing a message, and the verdict on a signed one.
 *
 * What is signed is `id.timestamp.body`, so neither id nor timestamp may contain a dot: two different messages would
 * share one signing input. `v1` is HMAC-SHA256, `v1a` is Ed25519. A key set holds several keys while they are rotated:
 * a message is signed with all of them, and is genuine when one signature fits one key.
 *
 *     whsec_BASE64   24 to 64 bytes: signs and verifies v1; the decoded bytes are the key
 *     whsk_BASE64    Ed25519 private key (32 bytes of seed, or seed and public key): signs and verifies v1a
 *     whpk_BASE64    Ed25519 public key (32 bytes): verifies v1a
 *
 * Keys are wiped when the set is freed; no function prints one. Comparison takes the same time wherever the first
 * difference is.
 *
 * Thread: a set is used by one thread at a time. Nothing blocks.
 */
#ifndef SLUICE_CRYPTO_WEBHOOK_H
#define SLUICE_CRYPTO_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define WEBHOOK_KEYS_MAX 10           /* of one set */
#define WEBHOOK_SECRET_BYTES_MIN 24   /* of a whsec_ key, decoded */
#define WEBHOOK_SECRET_BYTES_MAX 64   /* the same */
#define WEBHOOK_ID_BYTES_MAX 256      /* of webhook-id */
#define WEBHOOK_SIGNATURE_MAX 1024    /* of webhook-signature as we write it, with the NUL */
#define WEBHOOK_SIGNATURES_MAX 32     /* looked at in one header; a longer list is refused */
#define WEBHOOK_TOLERANCE_SECONDS 300 /* between timestamp and clock, as the specification advises */

struct webhook_keys;

/*
 * text: one or several keys, separated by blanks, newlines or commas. RC_FATAL with code ERR_CONFIG: none, too many, or
 * one of a wrong form; the message names its position, never its content.
 */
enum rc webhook_keys_parse(const char *text, struct webhook_keys **out_keys, struct err *err) MUST_USE;
struct webhook_keys *webhook_keys_free(struct webhook_keys *keys); /* accepts NULL, returns NULL */
void webhook_keys_freep(struct webhook_keys **keys);
size_t webhook_keys_count(const struct webhook_keys *keys);
bool webhook_keys_can_sign(const struct webhook_keys *keys);

/* Visible ASCII without a dot, 1 to WEBHOOK_ID_BYTES_MAX bytes. */
bool webhook_id_ok(const char *id);

/*
 * The value of webhook-signature for a message with this id, sent at this time: out_signature has room for
 * WEBHOOK_SIGNATURE_MAX. REJECT: an id that cannot be signed, a time before 1970, a set that has only public keys.
 */
enum rc webhook_sign(struct webhook_keys *keys, const char *id, int64_t utc_seconds, const void *body, size_t body_n,
                     char *out_signature, struct err *err) MUST_USE;

/* Why a message is accepted or not; the names are used in answers, logs and metrics. */
enum webhook_reason {
    WEBHOOK_OK,
    WEBHOOK_ID_MISSING,
    WEBHOOK_ID_MALFORMED, /* empty, too long, a dot, or no visible ASCII */
    WEBHOOK_TIMESTAMP_MISSING,
    WEBHOOK_TIMESTAMP_MALFORMED, /* not a whole number of seconds */
    WEBHOOK_TIMESTAMP_TOO_OLD,
    WEBHOOK_TIMESTAMP_TOO_NEW,
    WEBHOOK_SIGNATURE_MISSING,
    WEBHOOK_SIGNATURE_MALFORMED, /* no well-formed signature of a version that these keys verify */
    WEBHOOK_SIGNATURE_WRONG,     /* made with another key, or for another id, time or body */
    WEBHOOK_HEADER_TWICE,        /* one of the three headers is there more than once */
    WEBHOOK_REASONS_N
};
const char *webhook_reason_name(enum webhook_reason reason); /* "signature-wrong"; static */

/* A message as it came. NULL = the header is missing. */
struct webhook_message {
    const char *id;
    const char *timestamp;
    const char *signature;
    const void *body;
    size_t body_n;
};

/* The verdict at this time. */
enum webhook_reason webhook_verify(struct webhook_keys *keys, const struct webhook_message *msg, int64_t now_seconds,
                                   int64_t tolerance_seconds);

#endif
