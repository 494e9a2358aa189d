/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assigning again, in an order that librdkafka survives.
 *
 * Before 2.16, a partition that is assigned again while it is still being stopped, and taken away before that is done,
 * is stopped twice; the second answer meets the assertion rktp_started of rd_kafka_assignment_partition_stopped() and
 * ends the process. It may be taken away at any moment, by us or by librdkafka itself (a fenced member, a close). So
 * nothing is assigned until nothing is being stopped.
 */
#include "kafka/assign.h"

#include <stddef.h>

/*
 * There is no call that waits for the stops. But they and their answers go through the one queue of librdkafka's main
 * thread, in order, and a question about the assignment goes through it too: when the first is answered, the stops are
 * done and their answers queued; when the second is, the answers are dealt with.
 */
#define STOP_TURNS 2

static rd_kafka_resp_err_t wait_stopped(rd_kafka_t *rk)
{
    for (int i = 0; i < STOP_TURNS; i++) {
        rd_kafka_topic_partition_list_t *now = NULL;
        rd_kafka_resp_err_t code = rd_kafka_assignment(rk, &now);
        if (now != NULL) {
            rd_kafka_topic_partition_list_destroy(now);
        }
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return code;
        }
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t kafka_assign(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *nothing = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t code = rd_kafka_assign(rk, nothing);

    rd_kafka_topic_partition_list_destroy(nothing);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = wait_stopped(rk);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR || list->cnt == 0) {
        return code;
    }
    (void)rd_kafka_resume_partitions(rk, list); /* a pause outlives the assignment it was made in */
    return rd_kafka_assign(rk, list);
}
