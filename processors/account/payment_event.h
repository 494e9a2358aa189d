/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record of payment.events, read and checked: docs/payments.md has the forms.
 *
 * Strict in what it uses: whole amounts above 0, ids, times with a zone. What it does not use it lets pass, because the
 * channels' notifications have more to say than an order needs, and an event that says that money came must not become
 * a dead letter over it.
 */
#ifndef SLUICE_ACCOUNT_PAYMENT_EVENT_H
#define SLUICE_ACCOUNT_PAYMENT_EVENT_H

#include <stddef.h>

#include "avro/codec.h"
#include "base/err.h"
#include "base/mem.h"
#include "payment/decide.h"

#define CLASS_UNKNOWN_TYPE "unknown_type"
#define PAYMENT_CHANNEL_MAX 32 /* bytes; as in the database and the gateway */
#define PAYMENT_REFUND_REQUESTED "payment.refund_requested"

struct payment_record {
    struct payment_event e;
    bool for_others; /* payment.refund_requested: our own request to whoever talks to the channel; e has no type */
    const char *event_type;
    const char *payload; /* JSON as it came */
    int64_t issued_us;   /* when it was written down */
};

struct payment_reader;

enum rc payment_reader_create(const struct avro_set *set, struct payment_reader **out_reader, struct err *err) MUST_USE;
struct payment_reader *payment_reader_free(struct payment_reader *r); /* accepts NULL, returns NULL */

/* A value as it came; out lives in the arena. REJECT: the text names the field, *out_class is a static word. */
enum rc payment_event_read(struct payment_reader *r, const void *value, size_t n, struct arena *a,
                           struct payment_record *out, const char **out_class, struct err *err) MUST_USE;

/* The same from an event type and a payload alone, for `sluice account explain`. payment_id: NULL = as the payload
 * says. */
enum rc payment_payload_read(const char *event_type, const char *payment_id, const char *payload, size_t n,
                             struct arena *a, struct payment_record *out, const char **out_class,
                             struct err *err) MUST_USE;

#endif
