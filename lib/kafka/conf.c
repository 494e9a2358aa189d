/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the configuration of Kafka clients from the options. */
#include "kafka/conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static enum log_level level_of(int syslog_level)
{
    if (syslog_level <= 3) {
        return LOG_ERROR;
    }
    if (syslog_level == 4) {
        return LOG_WARN;
    }
    return LOG_DEBUG; /* notices of librdkafka are of no use to an operator */
}

static void on_log(const rd_kafka_t *rk, int level, const char *fac, const char *text)
{
    /* kafka.compression.type is meant for the producers; consumers need not complain about it. */
    if (strcmp(fac, "CONFWARN") == 0) {
        level = 7;
    }
    /* A new cluster answers so until its transaction log is loaded; the library asks again. */
    if (strcmp(fac, "GETPID") == 0 && strstr(text, "retrying") != NULL) {
        level = 7;
    }
    log_write(level_of(level), "kafka", fac, KV_S("client", rk != NULL ? rd_kafka_name(rk) : ""), KV_S("text", text),
              KV_END);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)opaque;
    log_write(LOG_WARN, "kafka", "client error", KV_S("client", rd_kafka_name(rk)),
              KV_S("code", rd_kafka_err2name((rd_kafka_resp_err_t)code)), KV_S("text", reason), KV_END);
}

enum rc kafka_conf_set(rd_kafka_conf_t *conf, const char *key, const char *value, struct err *err)
{
    char why[256] = "";

    if (rd_kafka_conf_set(conf, key, value, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
        err_set(err, RC_FATAL, __FILE__, __LINE__, "option kafka.%s: %s", key, why);
        return err_code(err, ERR_CONFIG);
    }
    return RC_OK;
}

static enum rc pass_through(const char *key, const char *value, void *opaque, struct err *err)
{
    static const char *const ours[] = {"bootstrap.servers",    "client.id",
                                       "transactional.id",     "transaction.timeout.ms",
                                       "message.timeout.ms",   "enable.idempotence",
                                       "isolation.level",      "group.id",
                                       "group.instance.id",    "enable.auto.commit",
                                       "auto.offset.reset",    "enable.partition.eof",
                                       "partitioner",          "acks",
                                       "request.required.acks"};
    rd_kafka_conf_t *conf = opaque;

    for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
        if (strcmp(key, ours[i]) == 0) {
            err_set(err, RC_FATAL, __FILE__, __LINE__,
                    "option kafka.%s: sluice sets it itself, its promises rest on it", key);
            return err_code(err, ERR_CONFIG);
        }
    }

    return kafka_conf_set(conf, key, value, err);
}

struct lookup {
    const char *key;
    bool found;
};

static enum rc match(const char *key, const char *value, void *opaque, struct err *err)
{
    struct lookup *l = opaque;

    (void)value;
    (void)err;
    l->found = l->found || strcmp(key, l->key) == 0;
    return RC_OK;
}

enum rc kafka_conf_default(rd_kafka_conf_t *conf, const struct config *cfg, const char *key, const char *value,
                           struct err *err)
{
    struct lookup l = {.key = key};

    TRY(config_each_passthrough(cfg, match, &l, err));
    return l.found ? RC_OK : kafka_conf_set(conf, key, value, err);
}

static enum rc set_common(rd_kafka_conf_t *conf, const struct config *cfg, const char *client, struct err *err)
{
    static const struct {
        const char *key;
        const char *value;
    } common[] = {
        {"socket.nagle.disable", "true"}, /* false by default before 2.10: 40 ms stalls */
        {"socket.timeout.ms", "10000"},    {"socket.keepalive.enable", "true"},
        {"reconnect.backoff.ms", "50"},    {"reconnect.backoff.max.ms", "1000"},
        {"log.connection.close", "false"}, {"allow.auto.create.topics", "false"},
    };
    const char *brokers = config_str(cfg, "kafka.brokers");

    if (brokers[0] == '\0') {
        err_set(err, RC_FATAL, __FILE__, __LINE__, "KAFKA_BROKERS is not set; expected HOST:PORT[,HOST:PORT...]");
        return err_code(err, ERR_CONFIG);
    }
    TRY(kafka_conf_set(conf, "bootstrap.servers", brokers, err));
    TRY(kafka_conf_set(conf, "client.id", client, err));
    for (size_t i = 0; i < ARRAY_SIZE(common); i++) {
        TRY(kafka_conf_set(conf, common[i].key, common[i].value, err));
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    return config_each_passthrough(cfg, pass_through, conf, err);
}

enum rc kafka_conf_create(const struct config *cfg, const char *client, rd_kafka_conf_t **out_conf, struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum rc rc = set_common(conf, cfg, client, err);

    if (rc != RC_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    *out_conf = conf;
    return RC_OK;
}

enum rc kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **out_rk, struct err *err)
{
    char why[256] = "";
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof(why));

    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        err_set(err, RC_FATAL, __FILE__, __LINE__, "cannot create the Kafka client: %s", why);
        return err_code(err, ERR_CONFIG); /* settings that are right one by one and contradict each other */
    }
    *out_rk = rk;
    return RC_OK;
}

enum rc kafka_reader_new(const struct config *cfg, const char *client, const char *const settings[][2], size_t n,
                         rd_kafka_t **out_rk, struct err *err)
{
    rd_kafka_conf_t *conf = NULL;

    TRY(kafka_conf_create(cfg, client, &conf, err));
    for (size_t i = 0; i < n; i++) {
        if (kafka_conf_set(conf, settings[i][0], settings[i][1], err) != RC_OK) {
            rd_kafka_conf_destroy(conf);
            return err->rc;
        }
    }
    return kafka_new(RD_KAFKA_CONSUMER, conf, out_rk, err);
}

void kafka_list_freep(rd_kafka_topic_partition_list_t **list)
{
    if (*list != NULL) {
        rd_kafka_topic_partition_list_destroy(*list);
    }
}

void kafka_destroy(rd_kafka_t *rk)
{
    if (rk != NULL) {
        rd_kafka_destroy(rk);
    }
}

void kafka_destroyp(rd_kafka_t **rk)
{
    kafka_destroy(*rk);
    *rk = NULL;
}

char *kafka_topic_name(const struct config *cfg, const char *name)
{
    return xasprintf("%s%s", config_str(cfg, "topic.prefix"), name);
}
