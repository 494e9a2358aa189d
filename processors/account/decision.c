/* SPDX-License-Identifier: Apache-2.0 */
/* Writes decisions as JSON. Thousands in a batch: hence no printf for what comes often. */
#include "account/decision.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/sha256.h"

static void put_int(struct buf *b, int64_t v)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0) {
        digits[--at] = '-';
    }
    (void)buf_add(b, digits + at, sizeof(digits) - at);
}

static void key(struct buf *b, const char *name)
{
    (void)buf_add(b, b->len > 1 ? ",\"" : "\"", b->len > 1 ? 2 : 1);
    (void)buf_puts(b, name);
    (void)buf_add(b, "\":", 2);
}

/* A word of ours or an id: nothing to escape. NULL is left out. */
static void add_word(struct buf *b, const char *name, const char *v)
{
    if (v != NULL) {
        key(b, name);
        (void)buf_putc(b, '"');
        (void)buf_puts(b, v);
        (void)buf_putc(b, '"');
    }
}

static void add_text(struct buf *b, const char *name, const char *v)
{
    if (v != NULL) {
        key(b, name);
        (void)buf_json_string(b, v, strlen(v));
    }
}

static void add_int(struct buf *b, const char *name, int64_t v)
{
    key(b, name);
    put_int(b, v);
}

static void add_bool(struct buf *b, const char *name, bool v)
{
    key(b, name);
    (void)buf_puts(b, v ? "true" : "false");
}

static void add_time(struct buf *b, const char *name, int64_t us)
{
    char text[CLOCK_RFC3339_MAX];

    if (us != LEDGER_NO_TIME) {
        clock_rfc3339(us, text);
        add_word(b, name, text);
    }
}

static void add_hash(struct buf *b, const char *name, const unsigned char hash[LEDGER_HASH_BYTES])
{
    char text[SHA256_HEX_BYTES];

    sha256_hex(hash, LEDGER_HASH_BYTES, text);
    add_word(b, name, text);
}

static void transfer(struct buf *b, const char *op, const struct ledger_transfer *t)
{
    (void)buf_putc(b, '{');
    add_word(b, "op", op);
    add_word(b, "state", LEDGER_STATE_NAMES[t->state]);
    add_int(b, "version", t->version);
    add_word(b, "code", t->code != CODE_OK ? ledger_code_name(t->code) : NULL);
    add_word(b, "transfer_id", t->transfer_id);
    add_word(b, "debit", t->debit);
    add_word(b, "credit", t->credit);
    if (t->debit_slot >= 0) {
        add_int(b, "debit_slot", t->debit_slot);
    }
    if (t->credit_slot >= 0) {
        add_int(b, "credit_slot", t->credit_slot);
    }
    if (t->credit != NULL) {
        add_int(b, "amount", t->amount);
    }
    if (t->state == TRANSFER_CONFIRMED) {
        add_int(b, "confirmed_amount", t->confirmed_amount);
    }
    add_word(b, "currency", t->currency);
    add_text(b, "reference", t->reference);
    add_word(b, "caller", t->caller);
    add_word(b, "set_id", t->set_id);
    add_hash(b, "content_hash", t->content_hash);
    add_word(b, "event_id", t->event_id);
    add_time(b, "effective_at", t->effective_us);
    add_time(b, "expires_at", t->expires_us);
    add_time(b, "booked_at", t->booked_us);
    add_time(b, "updated_at", t->updated_us);
    (void)buf_putc(b, '}');
}

void decision_of_flow(struct buf *out, enum ledger_flow_kind kind, const struct ledger_transfer *t)
{
    static const enum ledger_op OPS[LEDGER_FLOW_KINDS] = {
        [FLOW_POST] = OP_TRANSFER, [FLOW_HOLD] = OP_TRY,      [FLOW_CONFIRM] = OP_CONFIRM,
        [FLOW_CANCEL] = OP_CANCEL, [FLOW_EXPIRE] = OP_EXPIRE, [FLOW_MERGE] = OP_SET};

    buf_clear(out);
    transfer(out, LEDGER_OP_NAMES[OPS[kind]], t);
}

static void account(struct buf *b, const struct ledger_decision *d, int64_t decided_us)
{
    const struct ledger_account *a = d->account;
    const struct ledger_settings *s = &a->settings;

    (void)buf_putc(b, '{');
    add_word(b, "op", LEDGER_OP_NAMES[d->op]);
    add_word(b, "account_id", a->account_id);
    add_word(b, "currency", a->currency);
    add_int(b, "exponent", a->exponent);
    add_word(b, "kind", LEDGER_KIND_NAMES[a->kind]);
    add_word(b, "status", LEDGER_STATUS_NAMES[s->status]);
    add_bool(b, "no_negative", s->no_negative);
    add_bool(b, "credit_only", s->credit_only);
    add_bool(b, "debit_only", s->debit_only);
    if (s->has_max) {
        add_int(b, "max_balance", s->max_balance);
    }
    add_int(b, "settings_version", a->settings_version);
    add_int(b, "flows", a->version);
    add_word(b, "event_id", d->event_id);
    add_time(b, "decided_at", decided_us);
    (void)buf_putc(b, '}');
}

static void refusal(struct buf *b, const struct ledger_decision *d, int64_t decided_us)
{
    (void)buf_putc(b, '{');
    add_word(b, "op", LEDGER_OP_NAMES[d->op]);
    add_word(b, "outcome", d->applied ? "applied" : "rejected");
    add_word(b, "code", d->code != CODE_OK ? ledger_code_name(d->code) : NULL);
    add_word(b, "transfer_id", d->transfer_id);
    add_word(b, "account_id", d->account_id);
    add_word(b, "event_id", d->event_id);
    add_time(b, "decided_at", decided_us);
    (void)buf_putc(b, '}');
}

void decision_of_row(struct buf *out, const struct ledger_decision *d, int64_t decided_us)
{
    buf_clear(out);
    if (d->decided != NULL) {
        transfer(out, LEDGER_OP_NAMES[d->op], d->decided);
    } else if (d->account != NULL) {
        account(out, d, decided_us);
    } else {
        refusal(out, d, decided_us);
    }
}

/* RFC 9562, section 5.8. */
static void as_version_8(unsigned char id[ROW_ID_BYTES])
{
    id[6] = (unsigned char)((id[6] & 0x0f) | 0x80);
    id[8] = (unsigned char)((id[8] & 0x3f) | 0x80);
}

void flow_row_id(const unsigned char hash[LEDGER_HASH_BYTES], unsigned char out[ROW_ID_BYTES])
{
    memcpy(out, hash, ROW_ID_BYTES);
    as_version_8(out);
}

void decision_row_id(const char *event_id, int ordinal, unsigned char out[ROW_ID_BYTES])
{
    unsigned char hash[LEDGER_HASH_BYTES];
    char *text CLEANUP(freep) = xasprintf("decision\n%s\n%d", event_id, ordinal);

    sha256_of(text, strlen(text), hash);
    flow_row_id(hash, out);
}
