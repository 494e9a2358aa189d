/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about logs, with some patience for new partitions. */
#include "kafka/log_ends.h"

#include <stdbool.h>

#include "base/clock.h"
#include "kafka/rc.h"

#define PAUSE_MS 100

static enum rc no_answer(rd_kafka_t *rk, rd_kafka_resp_err_t code, struct err *err)
{
    char brokers[200] = "?";
    size_t size = sizeof(brokers);

    (void)rd_kafka_conf_get(rd_kafka_conf(rk), "bootstrap.servers", brokers, &size);
    return kafka_fail(err, code, NULL, "no answer from Kafka at %s", brokers);
}

enum rc kafka_topic_partitions(rd_kafka_t *rk, rd_kafka_topic_t *rkt, int wait_ms, int *out_n, struct err *err)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, rkt, &md, wait_ms);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return no_answer(rk, code, err);
    }
    code = md->topic_cnt == 1 ? md->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    int n = code == RD_KAFKA_RESP_ERR_NO_ERROR ? md->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(md);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        return kafka_fail(err, code, NULL, "topic %s", rd_kafka_topic_name(rkt));
    }
    *out_n = n;
    return RC_OK;
}

static bool is_passing(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION || code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

rd_kafka_resp_err_t kafka_log_ends(rd_kafka_t *rk, const char *topic, int32_t partition, int wait_ms,
                                   int64_t *out_start, int64_t *out_end)
{
    int64_t until = clock_mono_ms() + wait_ms;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(rk, topic, partition, out_start, out_end, wait_ms);

    while (is_passing(code) && clock_mono_ms() < until) {
        const struct rd_kafka_metadata *md = NULL;
        clock_sleep_ms(PAUSE_MS);
        /* Of the topics the client knows: else it would ask again only later. */
        if (rd_kafka_metadata(rk, 0, NULL, &md, wait_ms) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_metadata_destroy(md);
        }
        code = rd_kafka_query_watermark_offsets(rk, topic, partition, out_start, out_end, wait_ms);
    }
    return code;
}
