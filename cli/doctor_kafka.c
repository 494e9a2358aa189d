/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice doctor`, Kafka: brokers, topics, and the schemas that records are written with. */
#include <string.h>

#include "avro/set.h"
#include "base/mem.h"
#include "doctor.h"
#include "schemas/avro_set.h"
#include "topics_plan.h"

static void say_topics(struct doctor *d, const struct topics_plan *p)
{
    size_t same = 0;

    for (size_t i = 0; i < p->n; i++) {
        const struct topic_diff *diff = &p->diffs[i];
        if (diff->state == TOPIC_SAME) {
            same++;
        } else if (diff->state == TOPIC_MISSING) {
            doctor_say(d, "topics", DOCTOR_FAIL, "%s is missing", p->wants[i].name);
            doctor_hint(d, "sluice topics apply");
        } else if (diff->state == TOPIC_WRONG_PARTITIONS) {
            doctor_say(d, "topics", DOCTOR_FAIL, "%s: %s", p->wants[i].name, diff->text);
            doctor_hint(d, "partition counts are fixed for life: another topic.prefix, or a topic made anew");
        } else {
            doctor_say(d, "topics", DOCTOR_WARN, "%s: %s", p->wants[i].name, diff->text);
            doctor_hint(d, "sluice topics apply, unless it is meant so");
        }
    }
    if (same == p->n) {
        doctor_say(d, "topics", DOCTOR_OK, "%zu, as they should be", p->n);
    }
}

static void check_topics(struct doctor *d)
{
    struct topics_plan plan;
    struct err err;

    if (config_str(d->cfg, "kafka.brokers")[0] == '\0') {
        doctor_say(d, "kafka", DOCTOR_FAIL, "KAFKA_BROKERS is not set");
        doctor_hint(d, "KAFKA_BROKERS=host:port,host:port");
        return;
    }
    topics_plan_make(d->cfg, &plan);
    if (topics_compare(d->cfg, plan.wants, plan.n, plan.diffs, &err) != RC_OK) {
        doctor_say(d, "kafka", DOCTOR_FAIL, "%s", err.text);
        doctor_hint(d, "is Kafka up, can %s be reached from here, and do its advertised listeners fit?",
                    config_str(d->cfg, "kafka.brokers"));
    } else {
        doctor_say(d, "kafka", DOCTOR_OK, "%s answers", config_str(d->cfg, "kafka.brokers"));
        say_topics(d, &plan);
    }
    topics_plan_done(&plan);
}

/* Also checks that each id belongs to the text it was pinned for. */
static void check_schemas(struct doctor *d)
{
    struct avro_set *set CLEANUP(avro_set_freep) = NULL;
    struct err err;

    if (schemas_avro_set(&set, &err) != RC_OK) {
        doctor_say(d, "schemas", DOCTOR_FAIL, "%s", err.text);
        doctor_hint(d, "this program is broken; build it again");
        return;
    }
    int32_t low = INT32_MAX;
    int32_t high = 0;
    for (size_t i = 0; i < avro_set_count(set); i++) {
        int32_t id = avro_version_id(avro_set_at(set, i));
        low = id < low ? id : low;
        high = id > high ? id : high;
    }
    doctor_say(d, "schemas", DOCTOR_OK, "%zu built in, with their pinned ids %d to %d; values are written as %s",
               avro_set_count(set), (int)low, (int)high, config_str(d->cfg, "value.format"));
}

void doctor_kafka(struct doctor *d)
{
    check_topics(d);
    check_schemas(d);
}
