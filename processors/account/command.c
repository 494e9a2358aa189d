/* SPDX-License-Identifier: Apache-2.0 */
/* Reads command records. The bytes are foreign: nothing gets to the ledger that was not checked here. */
#include "account/command.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/fields.h"
#include "base/buf.h"
#include "base/currency.h"
#include "base/names.h"
#include "crypto/sha256.h"

#define SCHEMA "account_command"
#define PATH_MAX_BYTES 64
#define CANONICAL_MAX ((size_t)4096)

enum record_field { F_EVENT_ID, F_COMMAND, F_CALLER, F_PAYLOAD, F_CREATED_AT, RECORD_FIELDS };
static const char *const NAMES[RECORD_FIELDS] = {[F_EVENT_ID] = "event_id",
                                                 [F_COMMAND] = "command",
                                                 [F_CALLER] = "caller",
                                                 [F_PAYLOAD] = "payload",
                                                 [F_CREATED_AT] = "created_at"};

struct command_reader {
    struct avro_input *in;
    int field[RECORD_FIELDS];
};

/* What is written down for the hash and is not a part of the command. */
struct extra {
    bool has_effective, has_expires, has_timeout;
    int64_t timeout_s;
};

enum rc command_reader_create(const struct avro_set *set, struct command_reader **out_reader, struct err *err)
{
    struct command_reader *r = xcalloc(1, sizeof(*r));
    enum rc rc = avro_input_open(set, SCHEMA, NAMES, RECORD_FIELDS, r->field, &r->in, err);

    if (rc != RC_OK) {
        (void)command_reader_free(r);
        return rc;
    }
    *out_reader = r;
    return RC_OK;
}

struct command_reader *command_reader_free(struct command_reader *r)
{
    if (r != NULL) {
        avro_input_free(r->in);
        free(r);
    }
    return NULL;
}

/* ---- the hash ---- */

static void add_optional(struct buf *b, bool there, int64_t v)
{
    if (there) {
        (void)buf_printf(b, "%" PRId64 "\n", v);
    } else {
        (void)buf_puts(b, "-\n");
    }
}

/* One value a line; the only one that may hold a newline comes last. */
static void canonical(struct buf *b, const struct ledger_command *c, const struct extra *x)
{
    const struct ledger_settings *s = &c->settings;

    (void)buf_printf(b, "%s\n%s\n%s\n%s\n%s\n", LEDGER_OP_NAMES[c->op], c->transfer_id, c->debit, c->credit,
                     c->currency);
    add_optional(b, c->op == OP_TRANSFER || c->op == OP_TRY || c->has_amount, c->amount);
    add_optional(b, x->has_effective, c->effective_us);
    add_optional(b, x->has_expires, c->expires_us);
    add_optional(b, x->has_timeout, x->timeout_s);
    if (c->op == OP_OPEN || c->op == OP_SET) {
        (void)buf_printf(b, "%s\n%d\n%u\n%s\n%d%d%d\n", LEDGER_KIND_NAMES[c->kind], c->exponent, c->settings_mask,
                         LEDGER_STATUS_NAMES[s->status], s->no_negative, s->credit_only, s->debit_only);
        add_optional(b, s->has_max, s->max_balance);
    }
    (void)buf_puts(b, c->reference == NULL ? "-" : "=");
    (void)buf_puts(b, c->reference == NULL ? "" : c->reference);
}

static void hash_one(struct ledger_command *c, const struct extra *x, const unsigned char *set)
{
    struct buf text;

    buf_init(&text, CANONICAL_MAX);
    if (set != NULL) {
        (void)buf_add(&text, set, LEDGER_HASH_BYTES);
    }
    canonical(&text, c, x);
    assert(!text.overflow);
    sha256_of(buf_str(&text), text.len, c->content_hash);
    buf_done(&text);
}

/* Members first, then the set over them, then each member with the set in it. */
static void hash_set(struct ledger_command *c, struct ledger_command *members, const struct extra *x)
{
    unsigned char all[LEDGER_LINKED_MAX * LEDGER_HASH_BYTES];

    for (size_t i = 0; i < c->n_members; i++) {
        hash_one(&members[i], &x[i], NULL);
        memcpy(all + i * LEDGER_HASH_BYTES, members[i].content_hash, LEDGER_HASH_BYTES);
    }
    sha256_of(all, c->n_members * LEDGER_HASH_BYTES, c->content_hash);
    for (size_t i = 0; i < c->n_members; i++) {
        hash_one(&members[i], &x[i], c->content_hash);
    }
}

void command_hash(struct ledger_command *c)
{
    const struct extra x = {.has_effective = c->effective_us != LEDGER_NO_TIME,
                            .has_expires = c->expires_us != LEDGER_NO_TIME};

    hash_one(c, &x, NULL);
}

/* ---- payloads ---- */

static enum rc check_reserved(const struct ledger_command *c, const char *path, struct err *err)
{
    if (ledger_id_reserved(c->transfer_id, c->caller)) {
        FAIL(err, RC_REJECT,
             "field %s.transfer_id is %.32s; expected none that begins with pay:, merge: or adjust:", path,
             c->transfer_id);
    }
    return RC_OK;
}

static enum rc check_account(const struct ledger_command *c, struct err *err)
{
    if (c->caller[0] != '\0' && ledger_account_reserved(c->debit)) {
        FAIL(err, RC_REJECT,
             "field payload.account_id is %.32s; expected none that begins with clearing: or suspense: of a command "
             "with a caller",
             c->debit);
    }
    return RC_OK;
}

static enum rc check_kind(const struct ledger_command *c, struct err *err)
{
    if (c->caller[0] != '\0' && (c->kind == KIND_CLEARING || c->kind == KIND_SUSPENSE)) {
        FAIL(err, RC_REJECT,
             "field payload.kind is %s; expected user, merchant, fee or system of a command with a caller",
             LEDGER_KIND_NAMES[c->kind]);
    }
    return RC_OK;
}

struct parse {
    struct arena *a;
    const char **class;
};

static enum rc read_transfer(const json_t *object, const char *path, const struct parse *p, struct ledger_command *out,
                             struct extra *x, struct err *err)
{
    const struct field fields[] = {
        {"transfer_id", FIELD_ID, .required = true, .text = &out->transfer_id},
        {"debit", FIELD_ID, .required = true, .text = &out->debit},
        {"credit", FIELD_ID, .required = true, .text = &out->credit},
        {"amount", FIELD_INT, .required = true, .number = &out->amount, .min = INT64_MIN, .max = INT64_MAX},
        {"currency", FIELD_CURRENCY, .required = true, .text = &out->currency},
        {"reference", FIELD_TEXT, .text = &out->reference, .max = LEDGER_REFERENCE_MAX},
        {"effective_at", FIELD_TIME, .number = &out->effective_us, .given = &x->has_effective},
        {"expires_at", FIELD_TIME, .number = &out->expires_us, .given = &x->has_expires},
        {"timeout_s", FIELD_INT, .number = &x->timeout_s, .given = &x->has_timeout, .min = 1,
         .max = COMMAND_TIMEOUT_S_MAX},
    };

    /* The last two are of a try only. */
    TRY(fields_read(object, path, fields, ARRAY_SIZE(fields) - (out->op == OP_TRY ? 0 : 2), p->a, p->class, err));
    TRY(check_reserved(out, path, err));
    if (x->has_expires && x->has_timeout) {
        FAIL(err, RC_REJECT, "fields %s.expires_at and timeout_s: expected one of them", path);
    }
    if (x->has_timeout) {
        out->expires_us = out->issued_us + x->timeout_s * 1000000; /* both are bounded */
    }
    return RC_OK;
}

static enum rc read_hold(const json_t *object, const struct parse *p, struct ledger_command *out, struct err *err)
{
    const struct field fields[] = {
        {"transfer_id", FIELD_ID, .required = true, .text = &out->transfer_id},
        {"debit", FIELD_ID, .required = true, .text = &out->debit},
        {"amount", FIELD_INT, .number = &out->amount, .given = &out->has_amount, .min = INT64_MIN, .max = INT64_MAX},
    };

    TRY(fields_read(object, "payload", fields, ARRAY_SIZE(fields) - (out->op == OP_CONFIRM ? 0 : 1), p->a, p->class,
                    err));
    return check_reserved(out, "payload", err);
}

static enum rc read_open(const json_t *object, const struct parse *p, struct ledger_command *out, struct err *err)
{
    int64_t exponent = 0;
    bool has_exponent = false;
    int kind = KIND_USER;
    struct ledger_settings *s = &out->settings;
    const struct field fields[] = {
        {"account_id", FIELD_ID, .required = true, .text = &out->debit},
        {"currency", FIELD_CURRENCY, .required = true, .text = &out->currency},
        {"exponent", FIELD_INT, .number = &exponent, .given = &has_exponent, .min = 0, .max = 4},
        {"kind", FIELD_CHOICE, .choice = &kind, .choices = LEDGER_KIND_NAMES, .n_choices = LEDGER_KINDS},
        {"no_negative", FIELD_BOOL, .flag = &s->no_negative},
        {"credit_only", FIELD_BOOL, .flag = &s->credit_only},
        {"debit_only", FIELD_BOOL, .flag = &s->debit_only},
        {"max_balance", FIELD_INT, .number = &s->max_balance, .given = &s->has_max, .min = INT64_MIN, .max = INT64_MAX},
    };

    TRY(fields_read(object, "payload", fields, ARRAY_SIZE(fields), p->a, p->class, err));
    out->exponent = has_exponent ? (int)exponent : currency_digits(out->currency);
    if (!currency_digits_fit(out->currency, out->exponent)) {
        FAIL(err, RC_REJECT, "field payload.exponent is %d; expected %d, which ISO 4217 gives %s", out->exponent,
             currency_digits(out->currency), out->currency);
    }
    out->kind = (enum ledger_kind)kind;
    TRY(check_account(out, err));
    return check_kind(out, err);
}

static enum rc read_set(const json_t *object, const struct parse *p, struct ledger_command *out, struct err *err)
{
    int status = ACCOUNT_OPEN;
    bool has[4] = {false};
    bool no_max = false;
    struct ledger_settings *s = &out->settings;
    const struct field fields[] = {
        {"account_id", FIELD_ID, .required = true, .text = &out->debit},
        {"status", FIELD_CHOICE, .choice = &status, .given = &has[0], .choices = LEDGER_STATUS_NAMES,
         .n_choices = LEDGER_STATUSES},
        {"no_negative", FIELD_BOOL, .flag = &s->no_negative, .given = &has[1]},
        {"credit_only", FIELD_BOOL, .flag = &s->credit_only, .given = &has[2]},
        {"debit_only", FIELD_BOOL, .flag = &s->debit_only, .given = &has[3]},
        {"max_balance", FIELD_NULL_INT, .number = &s->max_balance, .given = &s->has_max, .null_given = &no_max,
         .min = INT64_MIN, .max = INT64_MAX},
    };

    TRY(fields_read(object, "payload", fields, ARRAY_SIZE(fields), p->a, p->class, err));
    s->status = (enum ledger_status)status;
    out->settings_mask = (has[0] ? SET_STATUS : 0U) | (has[1] ? SET_NO_NEGATIVE : 0U) |
                         (has[2] ? SET_CREDIT_ONLY : 0U) | (has[3] ? SET_DEBIT_ONLY : 0U) |
                         (s->has_max || no_max ? SET_MAX : 0U);
    if (out->settings_mask == 0) {
        FAIL(err, RC_REJECT, "field payload: expected at least one setting");
    }
    return check_account(out, err);
}

static enum rc read_linked(const json_t *object, const struct parse *p, struct ledger_command *out, struct err *err)
{
    struct extra x[LEDGER_LINKED_MAX] = {{.has_timeout = false}};
    const json_t *list = NULL;
    const struct field fields[] = {{"transfers", FIELD_LIST, .required = true, .list = &list}};

    TRY(fields_read(object, "payload", fields, ARRAY_SIZE(fields), p->a, p->class, err));
    size_t n = json_array_size(list);
    if (n < 2 || n > LEDGER_LINKED_MAX) {
        FAIL(err, RC_REJECT, "field payload.transfers has %zu members; expected 2 to %d", n, LEDGER_LINKED_MAX);
    }
    struct ledger_command *members = arena_alloc(p->a, n * sizeof(*members));
    for (size_t i = 0; i < n; i++) {
        char path[PATH_MAX_BYTES];
        (void)snprintf(path, sizeof(path), "payload.transfers[%zu]", i);
        members[i] = *out;
        members[i].op = OP_TRANSFER;
        TRY(read_transfer(json_array_get(list, i), path, p, &members[i], &x[i], err));
    }
    out->transfer_id = members[0].transfer_id;
    out->debit = members[0].debit;
    out->members = members;
    out->n_members = n;
    hash_set(out, members, x);
    return RC_OK;
}

static enum rc read_payload(const json_t *object, const struct parse *p, struct ledger_command *out, struct err *err)
{
    struct extra x = {.has_timeout = false};

    switch (out->op) {
    case OP_TRANSFER:
    case OP_TRY:
        TRY(read_transfer(object, "payload", p, out, &x, err));
        break;
    case OP_CONFIRM:
    case OP_CANCEL:
    case OP_EXPIRE:
        TRY(read_hold(object, p, out, err));
        break;
    case OP_OPEN:
        TRY(read_open(object, p, out, err));
        break;
    case OP_SET:
        TRY(read_set(object, p, out, err));
        break;
    case OP_LINKED:
    case LEDGER_OPS:
    default:
        return read_linked(object, p, out, err);
    }
    hash_one(out, &x, NULL);
    return RC_OK;
}

/* ---- records ---- */

static enum rc read_op(struct command_reader *r, struct ledger_command *out, struct err *err)
{
    size_t n = 0;
    const char *name = avro_input_string(r->in, r->field[F_COMMAND], &n);
    int op = names_find(LEDGER_OP_NAMES, LEDGER_OPS, name);

    if (op >= 0) {
        out->op = (enum ledger_op)op;
        return RC_OK;
    }
    FAIL(err, RC_REJECT,
         "field command is \"%.32s\"; expected transfer, try, confirm, cancel, expire, linked, open, set", name);
}

static enum rc read_envelope(struct command_reader *r, struct arena *a, struct ledger_command *out, struct err *err)
{
    size_t n = 0;
    const char *text = avro_input_string(r->in, r->field[F_EVENT_ID], &n);

    if (!field_is_id(text, n)) {
        FAIL(err, RC_REJECT, "field event_id: expected 1 to 128 of A-Z a-z 0-9 . _ : ~ @ -");
    }
    out->event_id = arena_strndup(a, text, n);
    text = avro_input_string(r->in, r->field[F_CALLER], &n);
    if (n > LEDGER_CALLER_MAX || (n > 0 && !field_is_id(text, n))) {
        FAIL(err, RC_REJECT, "field caller: expected at most %d of A-Z a-z 0-9 . _ : ~ @ -", LEDGER_CALLER_MAX);
    }
    out->caller = arena_strndup(a, text, n);
    out->issued_us = avro_input_long(r->in, r->field[F_CREATED_AT], -1);
    if (out->issued_us < 0 || out->issued_us > FIELDS_TIME_MAX_US) {
        FAIL(err, RC_REJECT, "field created_at is %" PRId64 "; expected microseconds between 1970 and 9999",
             out->issued_us);
    }
    return read_op(r, out, err);
}

enum rc command_read(struct command_reader *r, const void *value, size_t n, struct arena *a, struct ledger_command *out,
                     const char **out_class, struct err *err)
{
    const struct parse p = {.a = a, .class = out_class};
    json_t *payload CLEANUP(fields_releasep) = NULL;
    size_t len = 0;

    *out_class = CLASS_MALFORMED;
    *out = (struct ledger_command){.transfer_id = "",
                                   .debit = "",
                                   .credit = "",
                                   .currency = "",
                                   .effective_us = LEDGER_NO_TIME,
                                   .expires_us = LEDGER_NO_TIME};
    TRY(avro_input_read_value(r->in, value, n, err));
    TRY(read_envelope(r, a, out, err));
    const char *text = avro_input_string(r->in, r->field[F_PAYLOAD], &len);
    TRY(fields_parse(text, len, "payload", &payload, out_class, err));
    return read_payload(payload, &p, out, err);
}
