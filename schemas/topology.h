/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The road, once: which tables feed which topics, which processors read and write them, where dead letters go.
 *
 * `sluice topology` prints it, `sluice topics` creates the topics from it, the test topology_test checks that
 * it closes: every topic has a writer and a reader (or is read by people), a schema and a key.
 */
#ifndef SLUICE_SCHEMAS_TOPOLOGY_H
#define SLUICE_SCHEMAS_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct topic_spec {
    const char *name;     /* without prefix */
    int partitions;       /* fixed for life */
    int64_t retention_ms; /* -1 = kept for ever */
    bool compacted;
    int64_t max_message_bytes;
    const char
        *schema; /* Avro schema name in schemas/avro, or NULL: values are whatever was dead-lettered, or our own JSON */
    const char *key; /* what the key is, for people */
    const char *help;
};

struct road_step {
    const char *from; /* table or topic */
    const char *via;  /* role, or who else does it: "SQL", "dlq" (the redrive commands), "people" */
    const char *to;   /* topic or table, or "https: ..." for the outside world */
    const char *dlq;  /* topic for what via cannot handle, or the outbox through which it gets there; or NULL */
};

extern const struct topic_spec TOPICS[];
extern const size_t TOPICS_N;
extern const struct road_step TOPOLOGY[];
extern const size_t TOPOLOGY_N;

/* NULL when there is none of that name. */
const struct topic_spec *topic_spec_find(const char *name);

#endif
