/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's records: what they say, and the last of one transactional id. */
#include "kafka/txn_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kafka/tail.h"

#define OFFSETS_MAX 100000 /* of a partition that many ids share */
#define KEY_VERSION_MAX 1  /* 0 and 1: int16 version, int16 length, id */

enum { STATUS_PREPARE_COMMIT = 2, STATUS_PREPARE_ABORT = 3 };

void txn_log_done(struct txn_log *log)
{
    free(log->parts);
    *log = (struct txn_log){0};
}

int32_t txn_log_partition(const char *transactional_id, int n_partitions)
{
    uint32_t h = 0;

    for (const char *s = transactional_id; *s != '\0'; s++) {
        h = 31u * h + (unsigned char)*s;
    }
    if (h == 0x80000000u) {
        return 0; /* Java's abs() of the smallest int is itself, Kafka's is 0 */
    }
    return (int32_t)((h > 0x80000000u ? -h : h) % (uint32_t)n_partitions);
}

/* ---------------------------------------------------------------------------------------------------- one record */

struct cursor {
    const uint8_t *at;
    size_t left;
    bool flexible; /* version 1: compact lengths and tagged fields (KIP-482) */
    bool bad;
};

static const uint8_t *skip(struct cursor *c, size_t n)
{
    const uint8_t *at = c->at;

    if (c->bad || n > c->left) {
        c->bad = true;
        return NULL;
    }
    c->at += n;
    c->left -= n;
    return at;
}

/* Big-endian, of 1 to 4 bytes; 0 when there are not enough. */
static uint32_t take_number(struct cursor *c, size_t n)
{
    const uint8_t *p = skip(c, n);
    uint32_t v = 0;

    for (size_t i = 0; p != NULL && i < n; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

static uint32_t take_varint(struct cursor *c)
{
    uint32_t v = 0;

    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint32_t byte = take_number(c, 1);
        if (shift == 28 && byte > 15) {
            break; /* more than 32 bits */
        }
        v |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            return v;
        }
    }
    c->bad = true;
    return 0;
}

/* The length of a string or an array; null counts as empty. width: bytes of the length in version 0. */
static uint32_t take_length(struct cursor *c, size_t width)
{
    if (c->flexible) {
        uint32_t n = take_varint(c);
        return n == 0 ? 0 : n - 1;
    }
    uint32_t n = take_number(c, width);
    return n >> (8 * width - 1) != 0 ? 0 : n;
}

static void skip_tags(struct cursor *c)
{
    for (uint32_t n = c->flexible ? take_varint(c) : 0; n > 0 && !c->bad; n--) {
        (void)take_varint(c);
        (void)skip(c, take_varint(c));
    }
}

static enum rc put(struct txn_log *log, const char *topic, size_t topic_n, int32_t partition, bool committed,
                   struct err *err)
{
    size_t i = 0;

    while (i < log->n && (log->parts[i].partition != partition || strlen(log->parts[i].topic) != topic_n ||
                          memcmp(log->parts[i].topic, topic, topic_n) != 0)) {
        i++;
    }
    if (i == log->n) {
        if (log->n == TXN_LOG_PARTS_MAX) {
            FAIL(err, RC_REJECT, "more than %d partitions", TXN_LOG_PARTS_MAX);
        }
        log->parts = xrealloc(log->parts, (log->n + 1) * sizeof(*log->parts));
        log->parts[log->n++] = (struct txn_log_part){.partition = partition};
        memcpy(log->parts[i].topic, topic, topic_n);
    }
    log->parts[i].committed = committed;
    log->parts[i].last = true;
    return RC_OK;
}

static enum rc take_topic(struct cursor *c, struct txn_log *log, bool committed, struct err *err)
{
    uint32_t name_n = take_length(c, 2);
    const char *name = (const char *)skip(c, name_n);

    if (name == NULL) {
        return RC_OK; /* the record ends here, as its reader says */
    }
    if (name_n == 0 || name_n > TXN_LOG_TOPIC_NAME_MAX || memchr(name, '\0', name_n) != NULL) {
        FAIL(err, RC_REJECT, "a topic's name of %u bytes; expected 1 to %d", name_n, TXN_LOG_TOPIC_NAME_MAX);
    }
    for (uint32_t n = take_length(c, 4); n > 0 && !c->bad; n--) {
        uint32_t partition = take_number(c, 4);
        if (partition > INT32_MAX) {
            FAIL(err, RC_REJECT, "partition %u; expected 0 to %d", partition, INT32_MAX);
        }
        if (!c->bad) {
            TRY(put(log, name, name_n, (int32_t)partition, committed, err));
        }
    }
    skip_tags(c);
    return RC_OK;
}

enum rc txn_log_add(struct txn_log *log, const void *value, size_t n, struct err *err)
{
    struct cursor c = {.at = value, .left = n};
    uint32_t version = take_number(&c, 2);

    c.flexible = version == 1;
    if (c.bad || version > 1) {
        FAIL(err, RC_REJECT, "version %u of a record of %zu bytes; expected 0 or 1", version, n);
    }
    (void)skip(&c, 8 + 2 + 4); /* producer id, epoch, time-out */
    uint32_t status = take_number(&c, 1);
    if (c.bad) {
        FAIL(err, RC_REJECT, "it ends after %zu bytes, before its status", n);
    }
    if (status != STATUS_PREPARE_COMMIT && status != STATUS_PREPARE_ABORT) {
        return RC_OK;
    }
    log->decisions++;
    for (size_t i = 0; i < log->n; i++) {
        log->parts[i].last = false;
    }
    for (uint32_t topics = take_length(&c, 4); topics > 0 && !c.bad; topics--) {
        TRY(take_topic(&c, log, status == STATUS_PREPARE_COMMIT, err));
    }
    if (c.bad) {
        FAIL(err, RC_REJECT, "it ends after %zu bytes, within its partitions", n);
    }
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- the log */

struct reader {
    const char *id;
    struct txn_log *out;
};

static void restart(void *opaque)
{
    txn_log_done(((struct reader *)opaque)->out);
}

static bool enough(const void *opaque)
{
    return ((const struct reader *)opaque)->out->decisions > 0;
}

/* The key: version, length and text of the id. */
static bool is_of(const rd_kafka_message_t *msg, const char *id)
{
    const uint8_t *key = msg->key;
    size_t n = strlen(id);

    return msg->key_len == 4 + n && key[0] == 0 && key[1] <= KEY_VERSION_MAX && (size_t)(key[2] << 8 | key[3]) == n &&
           memcmp(key + 4, id, n) == 0;
}

static enum rc take(void *opaque, const rd_kafka_message_t *msg, struct err *err)
{
    struct reader *r = opaque;

    if (msg->payload == NULL || !is_of(msg, r->id)) {
        return RC_OK;
    }
    if (txn_log_add(r->out, msg->payload, msg->len, err) != RC_OK) {
        err_prefix(err, "%s partition %d offset %lld", TXN_LOG_TOPIC, (int)msg->partition, (long long)msg->offset);
        err->rc = RC_FATAL;
        return RC_FATAL;
    }
    return RC_OK;
}

enum rc txn_log_read(const struct config *cfg, struct producer *p, const char *transactional_id, producer_idle_fn idle,
                     void *opaque, struct txn_log *out, struct err *err)
{
    struct reader r = {.id = transactional_id, .out = out};
    int partitions = 0;

    *out = (struct txn_log){0};
    TRY(producer_topic_partitions(p, TXN_LOG_TOPIC, &partitions, err));
    if (partitions == PRODUCER_TOPIC_FORBIDDEN) {
        FAIL(err, RC_FATAL, "topic %s: not authorised", TXN_LOG_TOPIC);
    }
    if (partitions == 0) {
        FAIL(err, RC_RETRY, "topic %s does not exist", TXN_LOG_TOPIC);
    }
    const struct tail_options opt = {.cfg = cfg,
                                     .client = "sluice-txn-log",
                                     .topic = TXN_LOG_TOPIC,
                                     .partition = txn_log_partition(transactional_id, partitions),
                                     .uncommitted = true,
                                     .whole = true,
                                     .offsets_max = OFFSETS_MAX,
                                     .idle = idle,
                                     .idle_opaque = opaque,
                                     .restart = restart,
                                     .take = take,
                                     .enough = enough,
                                     .opaque = &r};
    return kafka_tail_read(&opt, err);
}
