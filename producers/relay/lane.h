/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane: one source, one ordered stream, one transactional id, one thread.
 *
 * Life of a lane, over and over until the role stops:
 *   take over   lock the source -> init_transactions (fences the predecessor) -> only then read the position -> guards
 *   follow      sweep, look, read a window, produce it with its position in one Kafka transaction
 *   release     drop the producer, the position in memory and the session, whatever the reason
 *
 * Nothing a lane remembers survives the loss of its lock or of its producer.
 */
#ifndef SLUICE_RELAY_LANE_H
#define SLUICE_RELAY_LANE_H

#include "avro/set.h"
#include "base/err.h"
#include "relay/source.h"
#include "runtime/role.h"

/* Runs until the role stops or something is wrong for good, which it reports with role_stop. Thread: its own. */
void lane_run(struct role_ctx *ctx, const struct source *src, const struct avro_set *set);

#endif
