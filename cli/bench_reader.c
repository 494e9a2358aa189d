/* SPDX-License-Identifier: Apache-2.0 */
/* A read_committed consumer over all partitions of a topic, without a group's coordination. */
#include "base/clock.h"
#include "bench.h"
#include "kafka/conf.h"
#include "kafka/rc.h"

#define ANSWER_TIMEOUT_MS 10000
#define LEADER_TIMEOUT_MS 15000
#define POLL_RECORDS_MAX 10000

static enum rc open_client(const struct bench *b, rd_kafka_t **out_rk, struct err *err)
{
    static const char *const SETTINGS[][2] = {
        {"group.id", "sluice-bench"}, /* required, nothing is committed */
        {"enable.auto.commit", "false"},
        {"isolation.level", "read_committed"},
        {"auto.offset.reset", "earliest"},
        /* A waiting read_committed fetch is not woken by the end of a transaction. */
        {"fetch.wait.max.ms", "5"},
        {"queued.max.messages.kbytes", "16384"},
    };

    TRY(kafka_reader_new(b->cli->cfg, "sluice-bench", SETTINGS, ARRAY_SIZE(SETTINGS), out_rk, err));
    (void)rd_kafka_poll_set_consumer(*out_rk);
    return RC_OK;
}

static enum rc count_partitions(rd_kafka_t *rk, const char *topic, int *out_n, struct err *err)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, rkt, &md, ANSWER_TIMEOUT_MS);

    rd_kafka_topic_destroy(rkt);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_fail(err, code, NULL, "no answer from Kafka");
        err->rc = RC_RETRY;
        return RC_RETRY;
    }
    *out_n = md->topic_cnt == 1 && md->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR ? md->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(md);
    if (*out_n <= 0 || *out_n > BENCH_PARTITIONS_MAX) {
        FAIL(err, RC_REJECT, "topic %s: expected 1 to %d partitions, found %d; `sluice topics apply` creates it", topic,
             BENCH_PARTITIONS_MAX, *out_n);
    }
    return RC_OK;
}

/* A topic that was just made may have no leader yet. */
static enum rc find_end(rd_kafka_t *rk, const char *topic, int partition, int64_t *out_end, struct err *err)
{
    int64_t deadline = clock_mono_ms() + LEADER_TIMEOUT_MS;
    for (;;) {
        int64_t low = 0;
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(rk, topic, partition, &low, out_end, ANSWER_TIMEOUT_MS);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            return RC_OK;
        }
        if (kafka_rc(code) != RC_RETRY || clock_mono_ms() > deadline || bench_interrupted()) {
            return kafka_fail(err, code, NULL, "cannot ask for the end of %s", topic);
        }
        clock_sleep_ms(100);
    }
}

enum rc bench_ends(const struct bench *b, const char *topic, int64_t *out_ends, int *out_n, struct err *err)
{
    CLEANUP(kafka_destroyp) rd_kafka_t *rk = NULL;

    TRY(open_client(b, &rk, err));
    TRY(count_partitions(rk, topic, out_n, err));
    for (int p = 0; p < *out_n; p++) {
        TRY(find_end(rk, topic, p, &out_ends[p], err));
    }
    return RC_OK;
}

enum rc bench_reader_open(const struct bench *b, const char *topic, const int64_t *from, int n, struct bench_reader *r,
                          struct err *err)
{
    TRY(open_client(b, &r->rk, err));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
    for (int p = 0; p < n; p++) {
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = from[p];
    }
    rd_kafka_resp_err_t code = rd_kafka_assign(r->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_fail(err, code, NULL, "cannot read %s", topic);
    }
    return RC_OK;
}

enum rc bench_reader_poll(struct bench_reader *r, int wait_ms, bench_record_fn fn, void *opaque, struct err *err)
{
    for (int i = 0; i < POLL_RECORDS_MAX; i++) {
        rd_kafka_message_t *msg = rd_kafka_consumer_poll(r->rk, i == 0 ? wait_ms : 0);
        if (msg == NULL) {
            break;
        }
        rd_kafka_resp_err_t code = msg->err;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            fn(msg, opaque);
        }
        rd_kafka_message_destroy(msg);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && kafka_rc(code) != RC_RETRY) {
            return kafka_fail(err, code, NULL, "reading back");
        }
    }
    return RC_OK;
}

void bench_reader_close(struct bench_reader *r)
{
    kafka_destroy(r->rk);
    r->rk = NULL;
}
