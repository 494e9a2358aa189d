/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime directory, and telling processes apart. */
#include "runtime/record.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtime/process.h"

static char dir[64];
static struct err err;

static void setup(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/sluice_record_test.XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void)
{
    static const char *const names[] = {"relay", "sink", "junk"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        record_remove(dir, names[i], getpid());
    }
    (void)rmdir(dir);
}

TestSuite(record, .init = setup, .fini = teardown);

static struct record mine(const char *role)
{
    struct record rec = {.pid = getpid(), .start = process_start(getpid())};
    (void)snprintf(rec.role, sizeof rec.role, "%s", role);
    (void)snprintf(rec.http, sizeof rec.http, "127.0.0.1:7001");
    (void)snprintf(rec.instance, sizeof rec.instance, "host \"quoted\"");
    return rec;
}

static size_t listed(const char *role, struct record out[4])
{
    size_t n = 99;
    cr_assert_eq(record_list(dir, role, out, 4, &n, &err), RC_OK, "%s", err.text);
    return n;
}

Test(record, what_was_written_is_listed_until_removed)
{
    struct record out[4];
    struct record relay = mine("relay");
    struct record sink = mine("sink");
    cr_assert_eq(record_write(dir, &relay, &err), RC_OK, "%s", err.text);
    cr_assert_eq(record_write(dir, &sink, &err), RC_OK);
    cr_assert_eq(listed(NULL, out), 2);
    cr_assert_eq(listed("relay", out), 1);
    cr_assert_str_eq(out[0].role, "relay");
    cr_assert_eq(out[0].pid, getpid());
    cr_assert_eq(out[0].start, relay.start);
    cr_assert_str_eq(out[0].http, "127.0.0.1:7001");
    cr_assert_str_eq(out[0].instance, "host \"quoted\"");
    record_remove(dir, "relay", getpid());
    cr_assert_eq(listed("relay", out), 0);
}

Test(record, of_another_process_with_our_pid_is_stale_and_removed)
{
    struct record out[4];
    struct record rec = mine("relay");
    rec.start--;
    cr_assert_eq(record_write(dir, &rec, &err), RC_OK);
    cr_assert_eq(listed("sink", out), 0, "found while looking for another role");
    CLEANUP(freep) char *path = xasprintf("%s/relay.%d.json", dir, (int)getpid());
    cr_assert_eq(access(path, F_OK), -1);
}

Test(record, of_a_dead_process_is_stale)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    struct record out[4];
    struct record rec = mine("relay");
    rec.pid = pid;
    rec.start = process_start(pid);
    cr_assert_gt(rec.start, 0);
    cr_assert_eq(record_write(dir, &rec, &err), RC_OK);
    cr_assert_eq(listed("relay", out), 1);
    (void)kill(pid, SIGKILL);
    siginfo_t info;
    (void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    cr_assert_eq(process_start(pid), 0, "a zombie counts as gone");
    cr_assert_eq(listed("relay", out), 0);
    (void)waitpid(pid, NULL, 0);
}

Test(record, junk_in_the_directory_is_ignored)
{
    struct record out[4];
    CLEANUP(freep) char *path = xasprintf("%s/junk.%d.json", dir, (int)getpid());
    static const char *const texts[] = {"", "[]", "{\"pid\": \"x\"}", "{\"pid\": -1, \"start\": 1}", "{\"pid\": 1,"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        FILE *f = fopen(path, "w");
        cr_assert_not_null(f);
        (void)fputs(texts[i], f);
        (void)fclose(f);
        cr_assert_eq(listed(NULL, out), 0, "%s", texts[i]);
    }
}

Test(record, no_directory_means_nobody_runs)
{
    struct record out[4];
    (void)rmdir(dir);
    cr_assert_eq(listed(NULL, out), 0);
}

Test(record, a_directory_that_others_can_write_to_is_refused)
{
    struct record rec = mine("relay");
    cr_assert_eq(chmod(dir, 0777), 0);
    cr_assert_eq(record_write(dir, &rec, &err), RC_FATAL);
    cr_assert_not_null(strstr(err.text, dir));
}

Test(record, a_link_instead_of_the_directory_is_refused)
{
    struct record rec = mine("relay");
    CLEANUP(freep) char *link = xasprintf("%s/link", dir);
    cr_assert_eq(symlink("/tmp", link), 0);
    cr_assert_eq(record_write(link, &rec, &err), RC_FATAL);
    (void)unlink(link);
}

Test(process, start_time_names_this_process)
{
    cr_assert_gt(process_start(getpid()), 0);
    cr_assert_eq(process_start(getpid()), process_start(getpid()));
    cr_assert_eq(process_start(0x3fffffff), 0);
}
