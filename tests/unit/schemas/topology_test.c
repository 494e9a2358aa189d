/* SPDX-License-Identifier: Apache-2.0 */
/* The road closes: nothing is written that nobody reads, nothing is read that nobody writes. */
#include "schemas/topology.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "schemas/embedded.h"

static bool has_writer(const char *name)
{
    for (size_t i = 0; i < TOPOLOGY_N; i++) {
        bool dead_letters = TOPOLOGY[i].dlq != NULL && strcmp(TOPOLOGY[i].dlq, name) == 0;
        if (dead_letters || strcmp(TOPOLOGY[i].to, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_reader(const char *name)
{
    for (size_t i = 0; i < TOPOLOGY_N; i++) {
        if (strcmp(TOPOLOGY[i].from, name) == 0) {
            return true;
        }
    }
    return false;
}

Test(topology, every_topic_has_a_writer_and_a_reader)
{
    for (size_t i = 0; i < TOPICS_N; i++) {
        cr_assert(has_writer(TOPICS[i].name), "nobody writes %s", TOPICS[i].name);
        cr_assert(has_reader(TOPICS[i].name), "nobody reads %s", TOPICS[i].name);
    }
}

Test(topology, only_the_relay_goes_from_a_table_to_a_topic)
{
    for (size_t i = 0; i < TOPOLOGY_N; i++) {
        const struct road_step *s = &TOPOLOGY[i];
        if (topic_spec_find(s->from) == NULL && topic_spec_find(s->to) != NULL) {
            cr_assert_str_eq(s->via, "relay", "%s -> %s", s->from, s->to);
        }
    }
}

Test(topology, what_the_relay_reads_is_written_by_somebody)
{
    for (size_t i = 0; i < TOPOLOGY_N; i++) {
        const struct road_step *s = &TOPOLOGY[i];
        if (strcmp(s->via, "relay") == 0) {
            cr_assert(has_writer(s->from), "nobody writes %s", s->from);
        }
    }
}

Test(topology, dead_letters_have_a_topic_or_a_way_to_one)
{
    for (size_t i = 0; i < TOPOLOGY_N; i++) {
        const struct road_step *s = &TOPOLOGY[i];
        if (s->dlq == NULL) {
            continue;
        }
        const struct topic_spec *t = topic_spec_find(s->dlq);
        cr_assert(t != NULL || has_reader(s->dlq), "%s -> %s: %s", s->from, s->to, s->dlq);
        if (t != NULL) {
            cr_assert_gt(t->max_message_bytes, topic_spec_find("callback.events")->max_message_bytes);
        }
    }
}

Test(topology, a_processor_has_somewhere_to_put_what_it_cannot_handle)
{
    for (size_t i = 0; i < TOPOLOGY_N; i++) {
        const struct road_step *s = &TOPOLOGY[i];
        const struct topic_spec *from = topic_spec_find(s->from);
        bool is_dlq = from != NULL && strstr(from->name, ".dlq") != NULL;
        bool by_people = strcmp(s->via, "people") == 0;
        if (from != NULL && !is_dlq && !by_people && !from->compacted) {
            cr_assert_not_null(s->dlq, "%s via %s", s->from, s->via);
        }
    }
}

Test(topology, topics_are_complete_and_named_once)
{
    for (size_t i = 0; i < TOPICS_N; i++) {
        const struct topic_spec *t = &TOPICS[i];
        cr_assert_eq(topic_spec_find(t->name), t, "%s is there twice", t->name);
        cr_assert_gt(t->partitions, 0);
        cr_assert_not_null(t->key);
        cr_assert_not_null(t->help);
        cr_assert(t->retention_ms == -1 || (!t->compacted && t->retention_ms >= 7LL * 24 * 3600 * 1000));
    }
    cr_assert_null(topic_spec_find("no.such.topic"));
}

Test(topology, schemas_that_are_named_exist)
{
    for (size_t i = 0; i < TOPICS_N; i++) {
        if (TOPICS[i].schema != NULL) {
            CLEANUP(freep) char *file = xasprintf("%s.avsc", TOPICS[i].schema);
            cr_assert_not_null(embedded_find(SCHEMAS_AVRO, SCHEMAS_AVRO_n, file), "%s", file);
        }
    }
}

Test(embedded, files_are_text_with_a_nul_behind)
{
    const struct embedded *f = embedded_find(SCHEMAS_JSON, SCHEMAS_JSON_n, "sources.json");
    cr_assert_not_null(f);
    cr_assert_eq(strlen(f->text), f->size);
    cr_assert_null(embedded_find(SCHEMAS_JSON, SCHEMAS_JSON_n, "sources"));
}

Test(embedded, migrations_are_in_version_order)
{
    for (size_t i = 1; i < SCHEMAS_SQL_n; i++) {
        cr_assert_lt(strcmp(SCHEMAS_SQL[i - 1].name, SCHEMAS_SQL[i].name), 0);
    }
}
