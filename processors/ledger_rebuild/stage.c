/* SPDX-License-Identifier: Apache-2.0 */
/* Records of account.flows as rows of two temporary tables, thousands in a COPY. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/codec.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "internal.h"
#include "pg/binary.h"
#include "pg/conn.h"
#include "schemas/avro_set.h"

#define BATCH_ROWS 4000
#define BATCH_BYTES ((size_t)4 << 20)
#define BATCH_BYTES_MAX ((size_t)64 << 20)
#define TIME_MAX_US INT64_C(253402300799999999) /* the year 9999 */
#define HASH_BYTES 32
#define ID_BYTES 16

static const char TABLES[] =
    "CREATE TEMP TABLE rebuild_flows (at bigint, id uuid, account_id text COLLATE \"C\", slot int, version bigint,"
    " kind text, amount bigint, balance_after bigint, frozen_delta bigint, frozen_after bigint, incoming_delta bigint,"
    " incoming_after bigint, currency text, counter_account text, transfer_id text COLLATE \"C\", event_id text,"
    " reference text, effective_at timestamptz, booked_at timestamptz, hash bytea, decision text, queue_seq bigint)"
    " ON COMMIT DROP;"
    "CREATE TEMP TABLE rebuild_decisions (at bigint, id uuid, event_id text, ordinal int, account_id text COLLATE "
    "\"C\","
    " transfer_id text COLLATE \"C\", command text, outcome text, code text, decision text, decided_at timestamptz,"
    " queue_seq bigint) ON COMMIT DROP";

enum how { AS_UUID, AS_TEXT, AS_INT4, AS_INT8, AS_TIME, AS_HASH };
struct column {
    const char *name; /* in the record */
    enum how how;
    int field; /* of the record's reader */
};

static const struct column FLOW_COLUMNS[] = {
    {"flow_id", AS_UUID, 0},
    {"account_id", AS_TEXT, 0},
    {"slot", AS_INT4, 0},
    {"version", AS_INT8, 0},
    {"kind", AS_TEXT, 0},
    {"amount", AS_INT8, 0},
    {"balance_after", AS_INT8, 0},
    {"frozen_delta", AS_INT8, 0},
    {"frozen_after", AS_INT8, 0},
    {"incoming_delta", AS_INT8, 0},
    {"incoming_after", AS_INT8, 0},
    {"currency", AS_TEXT, 0},
    {"counter_account", AS_TEXT, 0},
    {"transfer_id", AS_TEXT, 0},
    {"event_id", AS_TEXT, 0},
    {"reference", AS_TEXT, 0},
    {"effective_at", AS_TIME, 0},
    {"booked_at", AS_TIME, 0},
    {"hash", AS_HASH, 0},
    {"decision", AS_TEXT, 0},
    {"queue_seq", AS_INT8, 0},
};
static const struct column DECISION_COLUMNS[] = {
    {"decision_id", AS_UUID, 0}, {"event_id", AS_TEXT, 0},   {"ordinal", AS_INT4, 0},   {"account_id", AS_TEXT, 0},
    {"transfer_id", AS_TEXT, 0}, {"command", AS_TEXT, 0},    {"outcome", AS_TEXT, 0},   {"code", AS_TEXT, 0},
    {"decision", AS_TEXT, 0},    {"decided_at", AS_TIME, 0}, {"queue_seq", AS_INT8, 0},
};

/* One of the two tables. */
struct sheet {
    const char *copy;
    struct avro_input *in;
    struct column columns[ARRAY_SIZE(FLOW_COLUMNS)];
    size_t n_columns;
    struct buf rows, row;
    size_t n;
};

struct stage {
    PGconn *target;
    struct avro_set *set;
    struct sheet flows, decisions;
    int64_t at; /* the order in which records were read, which is that of each partition */
};

static enum rc open_sheet(struct stage *s, struct sheet *sh, const char *schema, const char *copy,
                          const struct column *columns, size_t n, struct err *err)
{
    sh->copy = copy;
    sh->n_columns = n;
    buf_init(&sh->rows, BATCH_BYTES_MAX);
    buf_init(&sh->row, BATCH_BYTES_MAX);
    TRY(avro_input_create(s->set, schema, &sh->in, err));
    for (size_t i = 0; i < n; i++) {
        sh->columns[i] = columns[i];
        sh->columns[i].field = avro_input_index(sh->in, columns[i].name);
        if (sh->columns[i].field < 0) {
            FAIL(err, RC_FATAL, "schema %s has no field %s", schema, columns[i].name);
        }
    }
    binary_copy_begin(&sh->rows);
    return RC_OK;
}

enum rc stage_create(PGconn *target, struct stage **out, struct err *err)
{
    struct stage *s = xcalloc(1, sizeof(*s));

    *out = s;
    s->target = target;
    TRY(schemas_avro_set(&s->set, err));
    TRY(open_sheet(s, &s->flows, "account_flow", "COPY rebuild_flows FROM STDIN (FORMAT binary)", FLOW_COLUMNS,
                   ARRAY_SIZE(FLOW_COLUMNS), err));
    TRY(open_sheet(s, &s->decisions, "account_decision", "COPY rebuild_decisions FROM STDIN (FORMAT binary)",
                   DECISION_COLUMNS, ARRAY_SIZE(DECISION_COLUMNS), err));
    return pg_exec(target, TABLES, NULL, err);
}

static void close_sheet(struct sheet *sh)
{
    avro_input_free(sh->in);
    buf_done(&sh->rows);
    buf_done(&sh->row);
}

struct stage *stage_free(struct stage *s)
{
    if (s != NULL) {
        close_sheet(&s->flows);
        close_sheet(&s->decisions);
        avro_set_free(s->set);
        free(s);
    }
    return NULL;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hexadecimal(const char *text, unsigned char *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        while (*text == '-') {
            text++;
        }
        int high = digit(text[0]);
        int low = high >= 0 ? digit(text[1]) : -1;
        if (low < 0) {
            return false;
        }
        out[i] = (unsigned char)(high * 16 + low);
        text += 2;
    }
    return *text == '\0';
}

static enum rc add_text(struct buf *row, const struct avro_input *in, const struct column *c, struct err *err)
{
    size_t n = 0;
    const char *text = avro_input_string(in, c->field, &n);
    unsigned char bytes[HASH_BYTES];

    if (c->how == AS_TEXT) {
        binary_text(row, text);
    } else if (c->how == AS_UUID && text != NULL && uuid_check(text, n) && hexadecimal(text, bytes, ID_BYTES)) {
        binary_raw(row, bytes, ID_BYTES);
    } else if (c->how == AS_HASH && text != NULL && text[0] == '\\' && text[1] == 'x' &&
               hexadecimal(text + 2, bytes, HASH_BYTES)) {
        binary_raw(row, bytes, HASH_BYTES);
    } else {
        FAIL(err, RC_REJECT, "%s: expected %s", c->name, c->how == AS_UUID ? "a UUID" : "\\x and 64 digits");
    }
    return RC_OK;
}

static enum rc add_number(struct buf *row, const struct avro_input *in, const struct column *c, struct err *err)
{
    int64_t v = avro_input_long(in, c->field, 0);

    if (c->how == AS_INT4) {
        binary_int4(row, (int32_t)v);
    } else if (c->how == AS_INT8) {
        binary_int8(row, v);
    } else if (v >= 0 && v <= TIME_MAX_US) {
        binary_time(row, v);
    } else {
        FAIL(err, RC_REJECT, "%s: %" PRId64 " is no time between 1970 and 9999", c->name, v);
    }
    return RC_OK;
}

/* The row is put together apart, so that one that fails leaves nothing in the batch. */
static enum rc add_row(struct stage *s, struct sheet *sh, struct err *err)
{
    buf_clear(&sh->row);
    binary_copy_row(&sh->row, (int)sh->n_columns + 1);
    binary_int8(&sh->row, s->at++);
    for (size_t i = 0; i < sh->n_columns; i++) {
        const struct column *c = &sh->columns[i];
        bool number = c->how == AS_INT4 || c->how == AS_INT8 || c->how == AS_TIME;
        TRY(number ? add_number(&sh->row, sh->in, c, err) : add_text(&sh->row, sh->in, c, err));
    }
    buf_add(&sh->rows, sh->row.data, sh->row.len);
    sh->n++;
    return RC_OK;
}

static enum rc flush_sheet(struct stage *s, struct sheet *sh, struct err *err)
{
    if (sh->n > 0) {
        binary_copy_end(&sh->rows);
        TRY(binary_copy(s->target, sh->copy, &sh->rows, sh->n, err));
    }
    sh->n = 0;
    binary_copy_begin(&sh->rows);
    return RC_OK;
}

/* Framed records say their schema; those in JSON are tried as what there is more of. */
static enum rc read_value(struct stage *s, const rd_kafka_message_t *msg, struct sheet **out_sheet, struct err *err)
{
    const unsigned char *first = msg->payload;
    const struct avro_version *v = NULL;

    *out_sheet = &s->flows;
    if (msg->payload != NULL && msg->len > 0 && first[0] == 0) {
        TRY(avro_frame_version(s->set, msg->payload, msg->len, &v, err));
        *out_sheet = strcmp(avro_version_name(v), "account_decision") == 0 ? &s->decisions : &s->flows;
    } else if (msg->payload != NULL && avro_input_read_value(s->flows.in, msg->payload, msg->len, err) != RC_OK) {
        *out_sheet = &s->decisions;
    }
    return avro_input_read_value((*out_sheet)->in, msg->payload, msg->len, err);
}

enum rc stage_take(struct stage *s, const rd_kafka_message_t *msg, struct rebuild_report *r, struct err *err)
{
    struct sheet *sh = NULL;
    struct err why;
    enum rc rc = read_value(s, msg, &sh, &why);

    rc = rc == RC_OK ? add_row(s, sh, &why) : rc;
    if (rc == RC_REJECT) {
        CLEANUP(freep)
        char *where = xasprintf("partition %" PRId32 " offset %" PRId64, msg->partition, msg->offset);
        found(&r->log, where, "the record cannot be read", "a flow or a decision", why.text);
        return RC_OK;
    }
    if (rc != RC_OK) {
        *err = why;
        return rc;
    }
    r->flows += sh == &s->flows;
    r->decisions += sh == &s->decisions;
    return sh->n >= BATCH_ROWS || sh->rows.len >= BATCH_BYTES ? flush_sheet(s, sh, err) : RC_OK;
}

enum rc stage_flush(struct stage *s, struct err *err)
{
    TRY(flush_sheet(s, &s->flows, err));
    return flush_sheet(s, &s->decisions, err);
}
