/* SPDX-License-Identifier: Apache-2.0 */
/* Digests and comparison, over the same streams. */
#include "ledger_check/digest.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/sha256.h"
#include "pg/copy_out.h"

#define COLUMNS_MAX 20
#define KEYS_MAX 3
#define LOOK_EVERY 1024

const char *const DIGEST_NAMES[DIGESTS] = {"accounts", "transfers", "decisions", "slots", "flows", "places"};

/* The first columns are the key: text in the order of bytes, or int8. All others are text. */
struct table {
    const char *sql;
    const char *where[KEYS_MAX]; /* words before the key's columns */
    bool number[KEYS_MAX];
    int keys;
    const char *columns[COLUMNS_MAX]; /* behind the key, for people */
};

#define MICROS(column) "(extract(epoch FROM " column ") * 1000000)::bigint::text"

static const struct table TABLES[DIGESTS] = {
    [DIGEST_ACCOUNTS] = {.sql = "SELECT account_id, currency, exponent::text, kind, status, no_negative::text,"
                                " credit_only::text, debit_only::text, max_balance::text, settings_version::text,"
                                " balance::text, frozen::text, incoming::text FROM accounts ORDER BY account_id",
                         .where = {"account"},
                         .keys = 1,
                         .columns = {"currency", "exponent", "kind", "status", "no_negative", "credit_only",
                                     "debit_only", "max_balance", "settings_version", "balance", "frozen", "incoming"}},
    [DIGEST_TRANSFERS] = {.sql = "SELECT transfer_id, state, version::text, code, debit_account, credit_account,"
                                 " amount::text, confirmed_amount::text, currency, reference, caller, set_id,"
                                 " encode(content_hash, 'hex'), event_id, " MICROS("effective_at") ", " MICROS(
                                     "expires_at") " FROM account_transfers ORDER BY transfer_id",
                          .where = {"transfer"},
                          .keys = 1,
                          .columns = {"state", "version", "code", "debit_account", "credit_account", "amount",
                                      "confirmed_amount", "currency", "reference", "caller", "set_id", "content_hash",
                                      "event_id", "effective_at", "expires_at"}},
    [DIGEST_DECISIONS] = {.sql = "SELECT event_id COLLATE \"C\", ordinal::bigint, id::text, account_id, transfer_id,"
                                 " command, outcome, code FROM account_decisions"
                                 " ORDER BY event_id COLLATE \"C\", ordinal",
                          .where = {"event", "ordinal"},
                          .number = {false, true},
                          .keys = 2,
                          .columns = {"id", "account_id", "transfer_id", "command", "outcome", "code"}},
    [DIGEST_SLOTS] = {.sql = "SELECT account_id, slot::bigint, version::text, balance::text, frozen::text,"
                             " incoming::text, encode(hash, 'hex') FROM account_slots WHERE version > 0"
                             " ORDER BY account_id, slot",
                      .where = {"account", "slot"},
                      .number = {false, true},
                      .keys = 2,
                      .columns = {"flows", "balance", "frozen", "incoming", "hash"}},
    [DIGEST_FLOWS] = {.sql = "SELECT account_id, slot::bigint, version, kind, amount::text, balance_after::text,"
                             " frozen_delta::text, frozen_after::text, incoming_delta::text, incoming_after::text,"
                             " currency, counter_account, transfer_id, event_id, reference, " MICROS(
                                 "effective_at") ", encode(hash, 'hex') FROM account_flows"
                                                 " ORDER BY account_id, slot, version",
                      .where = {"account", "slot", "version"},
                      .number = {false, true, true},
                      .keys = 3,
                      .columns = {"kind", "amount", "balance_after", "frozen_delta", "frozen_after", "incoming_delta",
                                  "incoming_after", "currency", "counter_account", "transfer_id", "event_id",
                                  "reference", "effective_at", "hash"}},
    [DIGEST_PLACES] = {.sql = "SELECT transfer_id, debit_slot::text, credit_slot::text FROM account_transfers"
                              " WHERE debit_slot IS NOT NULL ORDER BY transfer_id",
                       .where = {"transfer"},
                       .keys = 1,
                       .columns = {"debit_slot", "credit_slot"}},
};

/* One side's rows of one table. */
struct side {
    struct copy_out rows;
    EVP_MD_CTX *hash;
    int64_t n;
};

static void hash_row(struct side *s)
{
    for (int i = 0; i < s->rows.n_fields; i++) {
        uint64_t n = s->rows.values[i] == NULL ? UINT64_MAX : s->rows.lengths[i];
        unsigned char length[8];
        for (size_t k = 0; k < sizeof(length); k++) {
            length[k] = (unsigned char)(n >> (56 - 8 * k));
        }
        bool good =
            EVP_DigestUpdate(s->hash, length, sizeof(length)) == 1 &&
            (s->rows.values[i] == NULL || EVP_DigestUpdate(s->hash, s->rows.values[i], s->rows.lengths[i]) == 1);
        if (!good) {
            abort(); /* libcrypto without SHA-256 */
        }
    }
}

static enum rc next(struct side *s, const volatile sig_atomic_t *interrupted, struct err *err)
{
    TRY(copy_out_next(&s->rows, err));
    if (s->rows.row == NULL) {
        return RC_OK;
    }
    hash_row(s);
    s->n++;
    if (s->n % LOOK_EVERY == 0 && interrupted != NULL && *interrupted) {
        FAIL(err, RC_FATAL, "interrupted");
    }
    return RC_OK;
}

static enum rc begin(struct side *s, PGconn *conn, const struct table *t, struct err *err)
{
    s->n = 0;
    s->hash = EVP_MD_CTX_new();
    if (s->hash == NULL || EVP_DigestInit_ex(s->hash, EVP_sha256(), NULL) != 1) {
        abort();
    }
    return copy_out_begin(&s->rows, conn, t->sql, err);
}

static void end(struct side *s, enum digest_part part, struct digests *out)
{
    unsigned char sum[SHA256_BYTES];
    unsigned int n = 0;

    if (s->hash != NULL && EVP_DigestFinal_ex(s->hash, sum, &n) != 1) {
        abort();
    }
    sha256_hex(sum, n, out->sha256[part]);
    out->rows[part] = s->n;
    EVP_MD_CTX_free(s->hash);
    copy_out_done(&s->rows);
}

static enum rc digest_table(PGconn *conn, enum digest_part part, const volatile sig_atomic_t *interrupted,
                            struct digests *out, struct err *err)
{
    struct side s = {0};
    enum rc rc = begin(&s, conn, &TABLES[part], err);

    do {
        rc = rc == RC_OK ? next(&s, interrupted, err) : rc;
    } while (rc == RC_OK && s.rows.row != NULL);
    end(&s, part, out);
    return rc;
}

enum rc digest_ledger(PGconn *conn, int parts, const volatile sig_atomic_t *interrupted, struct digests *out,
                      struct err *err)
{
    *out = (struct digests){0};
    for (int i = 0; i < parts && i < DIGESTS; i++) {
        TRY(digest_table(conn, (enum digest_part)i, interrupted, out, err));
    }
    return RC_OK;
}

/* ---- two of them ---- */

struct comparing {
    enum digest_part part;
    const struct table *table;
    struct side a, b;
    digest_differs_fn differs;
    void *opaque;
};

static int compare_keys(const struct comparing *c)
{
    if (c->a.rows.row == NULL || c->b.rows.row == NULL) {
        return c->a.rows.row == NULL ? 1 : -1;
    }
    for (int i = 0; i < c->table->keys; i++) {
        int64_t x = c->table->number[i] ? copy_out_int(&c->a.rows, i) : 0;
        int64_t y = c->table->number[i] ? copy_out_int(&c->b.rows, i) : 0;
        int order = c->table->number[i] ? (x < y ? -1 : x > y)
                                        : strcmp(copy_out_text(&c->a.rows, i), copy_out_text(&c->b.rows, i));
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

static char *where_of(const struct comparing *c, const struct copy_out *rows)
{
    struct buf out;

    buf_init(&out, 4096);
    for (int i = 0; i < c->table->keys; i++) {
        buf_printf(&out, "%s%s ", i > 0 ? " " : "", c->table->where[i]);
        if (c->table->number[i]) {
            buf_printf(&out, "%" PRId64, copy_out_int(rows, i));
        } else {
            buf_puts(&out, copy_out_text(rows, i));
        }
    }
    return buf_take(&out);
}

static void lone(const struct comparing *c, bool in_a)
{
    CLEANUP(freep) char *where = where_of(c, in_a ? &c->a.rows : &c->b.rows);
    c->differs(c->opaque, c->part, where, "there is no such row", in_a ? "a row" : "", in_a ? "" : "a row");
}

/* The first column that differs is said. */
static void pair(const struct comparing *c)
{
    const struct copy_out *a = &c->a.rows;
    const struct copy_out *b = &c->b.rows;

    for (int i = c->table->keys; i < a->n_fields; i++) {
        bool same = copy_out_null(a, i) == copy_out_null(b, i) && a->lengths[i] == b->lengths[i] &&
                    (a->lengths[i] == 0 || memcmp(a->values[i], b->values[i], a->lengths[i]) == 0);
        if (!same) {
            CLEANUP(freep) char *where = where_of(c, a);
            c->differs(c->opaque, c->part, where, c->table->columns[i - c->table->keys],
                       copy_out_null(a, i) ? "NULL" : copy_out_text(a, i),
                       copy_out_null(b, i) ? "NULL" : copy_out_text(b, i));
            return;
        }
    }
}

static enum rc merge(struct comparing *c, PGconn *a, PGconn *b, const volatile sig_atomic_t *interrupted,
                     struct err *err)
{
    TRY(begin(&c->a, a, c->table, err));
    TRY(begin(&c->b, b, c->table, err));
    TRY(next(&c->a, interrupted, err));
    TRY(next(&c->b, interrupted, err));
    while (c->a.rows.row != NULL || c->b.rows.row != NULL) {
        int order = compare_keys(c);
        if (order == 0) {
            pair(c);
        } else {
            lone(c, order < 0);
        }
        if (order <= 0) {
            TRY(next(&c->a, interrupted, err));
        }
        if (order >= 0) {
            TRY(next(&c->b, interrupted, err));
        }
    }
    return RC_OK;
}

enum rc digest_compare(PGconn *a, PGconn *b, const volatile sig_atomic_t *interrupted, struct digests *out_a,
                       struct digests *out_b, digest_differs_fn differs, void *opaque, struct err *err)
{
    *out_a = (struct digests){0};
    *out_b = (struct digests){0};
    for (int i = 0; i < DIGESTS; i++) {
        struct comparing c = {.part = (enum digest_part)i, .table = &TABLES[i], .differs = differs, .opaque = opaque};
        enum rc rc = merge(&c, a, b, interrupted, err);
        end(&c.a, c.part, out_a);
        end(&c.b, c.part, out_b);
        TRY(rc);
    }
    return RC_OK;
}
