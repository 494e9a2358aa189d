/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: who calls us about money, and the verdict on such a call. Bytes in, verdict out: neither database nor
 * network, and the clock is handed in, so that the gateway and `sluice verify` say the same.
 *
 *     size -> header -> key by serial or app id -> signature over the bytes as they came -> time window -> decrypt
 *          -> identity
 *
 * The first step that refuses gives the reason. Nothing of a call is believed before its signature holds.
 *
 * Thread: any; an account may be used by several threads at once.
 */
#ifndef SLUICE_CHANNEL_CHANNEL_H
#define SLUICE_CHANNEL_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "channel/reason.h"
#include "crypto/sha256.h"
#include "http/header_file.h"

#define CHANNEL_BODY_BYTES_MAX ((size_t)64 << 10)
#define CHANNEL_EXPRESS_BYTES_MAX ((size_t)1 << 20) /* of carriers, who say a parcel's whole history */
#define CHANNEL_DETAIL_MAX 200
#define CHANNEL_HASH_BYTES 32

enum channel {
    CHANNEL_WECHAT,
    CHANNEL_ALIPAY,
    CHANNEL_APPSTORE,
    CHANNEL_APPLEPAY,
    CHANNEL_EXPRESS, /* carriers: not about money, so that verdict.express takes the place of verdict.event */
    CHANNELS_N
};

const char *channel_name(enum channel channel); /* "wechat"; static */
size_t channel_body_max(enum channel channel);  /* bytes of a call's body */
int channel_find(const char *name);             /* -1: there is none */

struct carrier_call; /* carrier/carrier.h */
struct carrier_echo;

/* A call as it came. Nothing belongs to it. */
struct capture {
    const struct header_line *headers; /* all of them, duplicates stay duplicates */
    size_t n_headers;
    const void *body;
    size_t body_n;
    const char *address; /* who called, numeric, behind trusted proxies; NULL = not known */
};

/* The value of a header that must be there once. OK, HEADER_MISSING, HEADER_DUP, or HEADER_MALFORMED: empty. */
enum channel_reason capture_header(const struct capture *c, const char *name, const char **out_value);
/* The same, where it may be missing: then OK and NULL. */
enum channel_reason capture_header_optional(const struct capture *c, const char *name, const char **out_value);

/* What it means for the order, as in docs/payments.md. */
enum payment_effect { EFFECT_NONE, EFFECT_SUCCEEDED, EFFECT_REFUNDED, EFFECT_CLOSED, EFFECT_REVOKED };
const char *payment_effect_event(enum payment_effect effect); /* "payment.succeeded"; NULL for EFFECT_NONE */

/* What an accepted call says. Strings live in the verdict's arena; NULL = it does not say. */
struct channel_event {
    const char *merchant;        /* mchid, app_id, bundle id, merchant's hash */
    const char *notification_id; /* unique for the merchant at the channel; the same over the channel's retries */
    const char *business_key;    /* what it is about: the same in another notification of the same thing */
    const char *type;            /* as the channel calls it, "TRANSACTION.SUCCESS" */
    const char *state;           /* "SUCCESS" */
    const char *payment_id;      /* out_trade_no */
    const char *channel_txn_id;  /* transaction_id, trade_no, ... */
    const char *refund_id;
    enum payment_effect effect;
    bool has_amount;
    bool amount_is_total; /* of EFFECT_REFUNDED: all that was refunded of this transaction until now, not this refund */
    int64_t amount;       /* minor units of currency, as ISO 4217 counts them */
    const char *currency; /* "CNY" */
    int64_t at_us;        /* UTC, when it happened as the channel says; 0 = it does not say */
    const char *safe;     /* JSON of what may be shown of it besides; NULL = nothing */
    /* Of what it says: other content under the same business key is a contradiction. Filled by channel_verify(). */
    unsigned char content[CHANNEL_HASH_BYTES];
};

struct verdict {
    enum channel_reason reason;
    char detail[CHANNEL_DETAIL_MAX]; /* for operators: which field, what was expected; no secret; "" for REASON_OK */
    bool key_known;                  /* it named a key or certificate that we have */
    bool genuine;                    /* the signature holds, whatever else is wrong */
    bool listed;                     /* comes from an address on the account's list, or there is no list */
    unsigned char fingerprint[CHANNEL_HASH_BYTES]; /* of channel, signed bytes and signature; with genuine */
    struct channel_event event;                    /* with REASON_OK */
    const struct carrier_call *express;            /* of CHANNEL_EXPRESS, with REASON_OK; in the arena */
    const struct carrier_echo *echo;               /* of CHANNEL_EXPRESS: for its answer; NULL = not come so far */
};

/* Refuses: reason, and detail as printf has it. Returns the reason, so that `return verdict_refuse(...)` reads well. */
enum channel_reason verdict_refuse(struct verdict *v, enum channel_reason reason, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#define VERDICT_PARTS_MAX 8
/*
 * Says that the signature holds: genuine, and the fingerprint of the channel's name, what was signed (at most
 * VERDICT_PARTS_MAX parts, one behind the other) and the signature.
 */
void verdict_genuine(struct verdict *v, enum channel channel, const struct sha256_part *parts, size_t n_parts,
                     const void *signature, size_t signature_n);
/* Refuses what is older, or further ahead, than the window; the limit itself is accepted. name: of the time. */
enum channel_reason verdict_window(struct verdict *v, const char *name, int64_t sent_s, int64_t now_s,
                                   int64_t window_s);

struct account; /* account.h */

/* Is the address on the account's list, or is there no list? channel_verify() asks first of all. */
bool channel_listed(const struct account *account, const char *address);

/* now_s: seconds since 1970 UTC. What is allocated lives in the arena. The reason is in *out too. */
enum channel_reason channel_verify(const struct account *account, const struct capture *c, int64_t now_s,
                                   struct arena *arena, struct verdict *out);

/* The document of an event in `sluice verify`, in logs of quarantine and reverify: one JSON object. */
void channel_event_json(const struct channel_event *event, struct buf *out);

/* What a channel is answered. */
struct channel_answer {
    unsigned status;
    const char *content_type; /* static */
    const char *body;         /* static or the arena's */
};
/*
 * One table a channel, and a carrier's form: no refusing row has a status of success, or the word that this channel
 * takes for one. For the route without an account (channel_express_own()) a parcel without a waybill is 404, and a
 * database that is away 502.
 */
void channel_answer(const struct account *account, const struct verdict *v, struct arena *arena,
                    struct channel_answer *out);

#endif
