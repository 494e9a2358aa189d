/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice run` and `sluice health`: starting roles, and asking those that run here whether they are ready. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/suggest.h"
#include "commands.h"
#include "http/client.h"
#include "roles.h"
#include "runtime/record.h"
#include "runtime/supervisor.h"

#define HEALTH_TIMEOUT_MS 3000
#define HEALTH_BYTES_MAX ((size_t)64 << 10)
#define INSTANCES_MAX 64
#define OUT_BYTES_MAX ((size_t)1 << 20)

static int unknown_role(const struct cli *cli, const char *name)
{
    struct suggest near;
    suggest_init(&near, name);
    for (size_t i = 0; i < ROLES_N; i++) {
        suggest_offer(&near, ROLES[i]->name);
    }
    if (near.best != NULL) {
        return cli_usage(cli, "unknown role %.40s; did you mean %s?", name, near.best);
    }
    return cli_usage(cli, "unknown role %.40s", name);
}

/* The roles that were named, each once. */
static int roles_named(const struct cli *cli, const struct role *out[SUPERVISOR_ROLES_MAX], size_t *out_n)
{
    *out_n = 0;
    for (int i = 0; i < cli->argc; i++) {
        const struct role *role = role_find(cli->argv[i]);
        if (role == NULL) {
            return unknown_role(cli, cli->argv[i]);
        }
        for (size_t k = 0; k < *out_n; k++) {
            if (out[k] == role) {
                return cli_usage(cli, "role %s is named twice; start `sluice run %s` again for another instance",
                                 role->name, role->name);
            }
        }
        if (*out_n == SUPERVISOR_ROLES_MAX) {
            return cli_usage(cli, "more than %d roles", SUPERVISOR_ROLES_MAX);
        }
        out[(*out_n)++] = role;
    }
    return EXIT_DONE;
}

int cmd_run(const struct cli *cli)
{
    const struct role *roles[SUPERVISOR_ROLES_MAX];
    size_t n = 0;
    int code = roles_named(cli, roles, &n);
    if (code == EXIT_DONE) {
        code = cli_require(cli, "database.url");
    }
    if (code == EXIT_DONE) {
        code = cli_require(cli, "kafka.brokers");
    }
    if (code != EXIT_DONE) {
        return code;
    }
    if (n > 1 && config_str(cli->cfg, "http")[0] != '\0') {
        struct err err = {0};
        (void)err_set(&err, RC_FATAL, __FILE__, __LINE__,
                      "option http (%s): one address cannot serve %zu roles; leave it out or run them one by one",
                      config_source(cli->cfg, "http"), n);
        (void)cli_fail("configuration", &err);
        return EXIT_CONFIG;
    }
    return supervise(roles, n, cli->cfg);
}

/* Without a role: which there are. With roles: their options. */
void run_help(const struct cli *cli, struct buf *out)
{
    if (cli->argc == 0) {
        (void)buf_puts(out, "\nRoles (`sluice run ROLE --help` shows their options):\n");
        for (size_t i = 0; i < ROLES_N; i++) {
            (void)buf_printf(out, "  %-24s%s\n", ROLES[i]->name, ROLES[i]->help);
        }
    }
    for (int i = 0; i < cli->argc; i++) {
        const struct role *role = role_find(cli->argv[i]);
        if (role != NULL && role->options != NULL) {
            (void)buf_putc(out, '\n');
            option_table_help(role->options, out);
        }
    }
}

struct instance_health {
    const struct record *rec;
    bool ready;
    enum rc reached;
    char detail[256]; /* why not; "" when ready */
};

/* "postgres: waiting for the server; kafka: ..." of the parts that are not ready. */
static void describe_parts(const struct buf *body, char *out, size_t out_size)
{
    json_t *json = json_loadb(buf_str(body), body->len, 0, NULL);
    size_t i = 0;
    const json_t *part = NULL;
    size_t at = 0;
    json_array_foreach(json_object_get(json, "parts"), i, part)
    {
        const char *name = json_string_value(json_object_get(part, "name"));
        const char *detail = json_string_value(json_object_get(part, "detail"));
        if (json_is_true(json_object_get(part, "ready")) || at >= out_size) {
            continue;
        }
        int n = snprintf(out + at, out_size - at, "%s%s: %s", at == 0 ? "" : "; ", name == NULL ? "?" : name,
                         detail == NULL ? "not ready" : detail);
        at += n > 0 ? (size_t)n : 0;
    }
    json_decref(json);
}

static void ask(const struct cli *cli, const struct record *rec, struct instance_health *out)
{
    *out = (struct instance_health){.rec = rec};
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, HEALTH_BYTES_MAX);
    struct err err = {0};
    int status = 0;
    out->reached =
        http_get(rec->http, "/readyz", config_str(cli->cfg, "http.token"), HEALTH_TIMEOUT_MS, &status, &body, &err);
    out->ready = out->reached == RC_OK && status == 200;
    if (out->reached != RC_OK) {
        (void)snprintf(out->detail, sizeof out->detail, "%.255s", err.text);
    } else if (status == 503) {
        (void)snprintf(out->detail, sizeof out->detail, "starting");
        describe_parts(&body, out->detail, sizeof out->detail);
    } else if (!out->ready) {
        (void)snprintf(out->detail, sizeof out->detail, "/readyz answered %d", status);
    }
}

static void add_instance(const struct cli *cli, const struct instance_health *h, bool first, struct buf *out)
{
    if (!cli->json) {
        (void)buf_printf(out, "%-10s pid %-8d %-22s %s%s%s\n", h->rec->role, (int)h->rec->pid, h->rec->http,
                         h->ready ? "ready" : "not ready", h->detail[0] == '\0' ? "" : ": ", h->detail);
        return;
    }
    (void)buf_printf(out, "%s\n  {\"pid\": %d, \"ready\": %s, \"http\": ", first ? "" : ",", (int)h->rec->pid,
                     h->ready ? "true" : "false");
    (void)buf_json_string(out, h->rec->http, strlen(h->rec->http));
    (void)buf_puts(out, ", \"instance\": ");
    (void)buf_json_string(out, h->rec->instance, strlen(h->rec->instance));
    (void)buf_puts(out, ", \"detail\": ");
    (void)buf_json_string(out, h->detail, strlen(h->detail));
    (void)buf_putc(out, '}');
}

/* The worst of all: not reached 69, not ready 3. */
static int report(const struct cli *cli, const struct record *records, size_t n, struct buf *out)
{
    int code = EXIT_DONE;
    if (cli->json) {
        (void)buf_printf(out, "{\"role\": \"%s\", \"instances\": [", cli->argv[0]);
    }
    for (size_t i = 0; i < n; i++) {
        struct instance_health h;
        ask(cli, &records[i], &h);
        add_instance(cli, &h, i == 0, out);
        int this_code = h.ready ? EXIT_DONE : (h.reached == RC_OK ? EXIT_REJECTED : EXIT_UNAVAILABLE);
        code = this_code > code ? this_code : code;
    }
    if (cli->json) {
        (void)buf_printf(out, "\n], \"ready\": %s}\n", n > 0 && code == EXIT_DONE ? "true" : "false");
    }
    return code;
}

int cmd_health(const struct cli *cli)
{
    if (role_find(cli->argv[0]) == NULL) {
        return unknown_role(cli, cli->argv[0]);
    }
    CLEANUP(freep) char *dir = record_dir(cli->cfg);
    CLEANUP(freep) struct record *records = xcalloc(INSTANCES_MAX, sizeof *records);
    size_t n = 0;
    struct err err = {0};
    if (record_list(dir, cli->argv[0], records, INSTANCES_MAX, &n, &err) != RC_OK) {
        return cli_fail("health", &err);
    }
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUT_BYTES_MAX);
    int code = report(cli, records, n, &out);
    int printed = cli_print(&out);
    if (n == 0) {
        cli_note(cli, "health: no instance of %s runs here (looked in %s)", cli->argv[0], dir);
        return EXIT_NOT_FOUND;
    }
    return code != EXIT_DONE ? code : printed;
}
