/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice receive`: a receiver of callbacks in the foreground, with the keys of file or environment. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/option.h"
#include "commands.h"
#include "file.h"
#include "receiver/receiver.h"
#include "runtime/process.h"

#define ADDRESS "127.0.0.1:7601"
#define ENV_PREFIX "AI_CS_PLATFORM_"
#define ENV_SECRET "_CALLBACK_SECRET"
#define ENV_SECRET_FILE "_CALLBACK_SECRET_FILE"
#define IDS_MAX_MAX 10000000
#define PUSH_SECRET_ENV "CLOUD_FUNC_SECRET"
#define PUSH_SECRET_BYTES_MAX 4096

struct platforms {
    struct receiver_platform rows[RECEIVER_PLATFORMS_MAX];
    size_t n;
};

static void platforms_done(struct platforms *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free((void *)(uintptr_t)p->rows[i].name);
        (void)webhook_keys_free(p->rows[i].keys);
    }
}

/* Takes keys. */
static enum rc platforms_add(struct platforms *p, const char *name, size_t name_n, struct webhook_keys *keys,
                             struct err *err)
{
    if (p->n == RECEIVER_PLATFORMS_MAX) {
        (void)webhook_keys_free(keys);
        FAIL(err, RC_FATAL, "more than %d platforms", RECEIVER_PLATFORMS_MAX);
    }
    p->rows[p->n++] = (struct receiver_platform){.name = xstrndup(name, name_n), .keys = keys};
    return RC_OK;
}

/* "[PLATFORM=]FILE[,...]" */
static enum rc keys_of_flag(struct platforms *p, const char *text, struct err *err)
{
    while (*text != '\0') {
        size_t n = strcspn(text, ",");
        CLEANUP(freep) char *item = xstrndup(text, n);
        char *equals = strchr(item, '=');
        const char *path = equals == NULL ? item : equals + 1;
        const char *name = equals == NULL ? "default" : item;
        struct webhook_keys *keys = NULL;
        TRY(webhook_keys_read(path, &keys, err));
        TRY(platforms_add(p, name, equals == NULL ? strlen(name) : (size_t)(equals - item), keys, err));
        text += n;
        text += *text == ',' ? 1 : 0;
    }
    return RC_OK;
}

static bool ends_with(const char *s, size_t n, const char *end)
{
    return n > strlen(end) && memcmp(s + n - strlen(end), end, strlen(end)) == 0;
}

/* One environment entry; others than a platform's secret are passed over. */
static enum rc keys_of_variable(struct platforms *p, const char *entry, struct err *err)
{
    const char *equals = strchr(entry, '=');
    if (strncmp(entry, ENV_PREFIX, strlen(ENV_PREFIX)) != 0 || equals == NULL || equals[1] == '\0') {
        return RC_OK;
    }
    const char *name = entry + strlen(ENV_PREFIX);
    size_t n = (size_t)(equals - name);
    bool is_secret = ends_with(name, n, ENV_SECRET);
    bool is_file = ends_with(name, n, ENV_SECRET_FILE);
    struct webhook_keys *keys = NULL;
    if (!is_secret && !is_file) {
        return RC_OK;
    }
    enum rc rc = is_secret ? webhook_keys_parse(equals + 1, &keys, err) : webhook_keys_read(equals + 1, &keys, err);
    if (rc != RC_OK) {
        return err_prefix(err, "environment %.*s", (int)(equals - entry), entry);
    }
    CLEANUP(freep) char *platform = xstrndup(name, n - strlen(is_secret ? ENV_SECRET : ENV_SECRET_FILE));
    for (char *c = platform; *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : (*c == '_' ? '-' : *c));
    }
    return platforms_add(p, platform, strlen(platform), keys, err);
}

static enum rc keys_of_environment(struct platforms *p, struct err *err)
{
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        TRY(keys_of_variable(p, *entry, err));
    }
    return RC_OK;
}

/* Of a file, or of the environment; NULL = there is none. Heap. */
static enum rc push_secret_read(const struct cli *cli, char **out_secret, struct err *err)
{
    const char *path = cli_flag(cli, "push-secret-file");
    const char *value = getenv(PUSH_SECRET_ENV);
    path = path == NULL && value == NULL ? getenv(PUSH_SECRET_ENV "_FILE") : path;
    if (path == NULL || path[0] == '\0') {
        *out_secret = value == NULL || value[0] == '\0' ? NULL : xstrdup(value);
        return RC_OK;
    }
    TRY(config_read_secret(path, PUSH_SECRET_BYTES_MAX, out_secret, err));
    (*out_secret)[strcspn(*out_secret, "\r\n")] = '\0';
    return RC_OK;
}

static void print_line(void *opaque, const char *line)
{
    const struct cli *cli = opaque;
    if (!cli->quiet) {
        (void)fprintf(stdout, "%s\n", line);
        (void)fflush(stdout);
    }
}

static void wait_for_the_end(void)
{
    sigset_t set;
    int signal_number = 0;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigwait(&set, &signal_number);
}

int cmd_receive(const struct cli *cli)
{
    CLEANUP(platforms_done) struct platforms platforms = {0};
    struct err err = {0};
    int64_t ids_max = RECEIVER_IDS_MAX;
    if (cli_flag_int(cli, "ids-max", 1, IDS_MAX_MAX, &ids_max, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    CLEANUP(freep) char *push_secret = NULL;
    if (push_secret_read(cli, &push_secret, &err) != RC_OK) {
        return cli_fail("receive", &err);
    }
    const char *files = cli_flag(cli, "secret-file");
    enum rc rc = files != NULL ? keys_of_flag(&platforms, files, &err) : keys_of_environment(&platforms, &err);
    if (rc != RC_OK) {
        return cli_fail("receive", &err);
    }
    const char *address = cli_flag(cli, "listen");
    const struct receiver_options opt = {.address = address == NULL ? ADDRESS : address,
                                         .platforms = platforms.rows,
                                         .n_platforms = platforms.n,
                                         .push_secret = push_secret,
                                         .ids_max = (size_t)ids_max,
                                         .on_line = print_line,
                                         .opaque = (void *)(uintptr_t)cli};
    struct receiver *receiver = NULL;
    process_adopt_orphans();
    process_block_signals();
    process_raise_descriptors(); /* each request holds one */
    if (receiver_start(&opt, &receiver, &err) != RC_OK) {
        return cli_fail("receive", &err);
    }
    cli_note(cli, "listening on http://%s; %zu platforms with keys%s; GET /stats", receiver_address(receiver),
             platforms.n, platforms.n == 0 ? ": signatures are not verified" : "");
    wait_for_the_end();
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, (size_t)1 << 20);
    receiver_stats(receiver, false, &out);
    (void)receiver_stop(receiver);
    return cli->quiet ? EXIT_DONE : cli_print(&out);
}
