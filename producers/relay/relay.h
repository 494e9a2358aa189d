/* SPDX-License-Identifier: Apache-2.0 */
/* The role `relay`: committed outbox rows become Kafka records, each exactly once. One thread per source. */
#ifndef SLUICE_RELAY_RELAY_H
#define SLUICE_RELAY_RELAY_H

#include "avro/set.h"
#include "base/option.h"
#include "relay/source.h"
#include "runtime/role.h"

extern const struct role relay_role;
extern const struct option_table relay_options;

/* sources.json of the configuration, or the built-in one. */
enum rc relay_load_sources(const struct config *cfg, struct sources **out_sources, struct err *err) MUST_USE;

#endif
