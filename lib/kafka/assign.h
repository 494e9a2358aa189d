/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a member of a group reads: the one way to change it (docs/decisions/0010). Letting go of everything, in a
 * rebalance callback or before closing, stays rd_kafka_assign with NULL or an empty list.
 */
#ifndef SLUICE_KAFKA_ASSIGN_H
#define SLUICE_KAFKA_ASSIGN_H

#include <librdkafka/rdkafka.h>

/*
 * Reads exactly the partitions of list from now on, from their absolute offsets; what was read before is let go first,
 * and the call returns only when librdkafka has stopped reading it. None of them is paused afterwards. The caller keeps
 * list. Takes a few turns of librdkafka's thread, well below a millisecond when it is idle; asks no broker.
 *
 * Thread: the one that polls the consumer.
 */
rd_kafka_resp_err_t kafka_assign(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list);

#endif
