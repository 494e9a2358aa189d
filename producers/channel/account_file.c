/* SPDX-License-Identifier: Apache-2.0 */
/* Members of an account, and the files they name. */
#include "channel/account_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define PIECE_BYTES 4096
#define DAY_S 86400
#define SOON_S ((int64_t)30 * DAY_S)
#define OTHERS (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH)

const char *account_path(struct account_reader *r, const char *member, enum field_need need)
{
    return field_text(&r->fields, member, need, ACCOUNT_PATH_MAX, NULL, "the name of a file");
}

enum rc account_members_end(struct account_reader *r, struct err *err)
{
    fields_end(&r->fields);
    const struct problem *problem = r->fields.problem;
    if (problem->status == 0) {
        return RC_OK;
    }
    (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "%s", problem->detail);
    return err_code(err, ERR_CONFIG);
}

enum rc account_fail(struct account_reader *r, const char *member, struct err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)err_setv(err, RC_FATAL, __FILE__, __LINE__, fmt, ap);
    va_end(ap);
    (void)err_code(err, ERR_CONFIG);
    return err_prefix(err, "%s.%s", r->where, member);
}

enum rc account_wrap(struct account_reader *r, const char *member, const char *path, struct err *err)
{
    (void)err_code(err, ERR_CONFIG);
    err->rc = RC_FATAL;
    return err_prefix(err, "%s.%s: %s", r->where, member, path);
}

/* ------------------------------------------------------------------------------------------------------- files */

static void closep(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

/* A file of the directory, so that a copy of it elsewhere works as well. */
static int open_beside(const struct account_reader *r, const char *path)
{
    char full[2 * ACCOUNT_PATH_MAX + 2];
    bool absolute = path[0] == '/';
    int n = snprintf(full, sizeof full, "%s%s%s", absolute ? "" : r->directory, absolute ? "" : "/", path);
    if (n < 0 || (size_t)n >= sizeof full) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer must not hold us up */
}

static bool read_whole(int fd, struct buf *out)
{
    char piece[PIECE_BYTES];
    ssize_t n = read(fd, piece, sizeof piece);
    for (; n > 0 || (n < 0 && errno == EINTR); n = read(fd, piece, sizeof piece)) {
        if (n > 0 && !buf_add(out, piece, (size_t)n)) {
            break;
        }
    }
    OPENSSL_cleanse(piece, sizeof piece);
    return n >= 0;
}

enum rc account_file(struct account_reader *r, const char *member, const char *path, bool secret, struct buf *out,
                     struct err *err)
{
    struct stat st;
    CLEANUP(closep) int fd = open_beside(r, path);
    buf_init(out, ACCOUNT_FILE_BYTES_MAX);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return account_fail(r, member, err, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return account_fail(r, member, err, "%s is not a file", path);
    }
    if (secret && (st.st_mode & OTHERS) != 0 && r->lenient) {
        log_warn("channel", "a file with a secret can be read or written by others", KV_S("member", r->where),
                 KV_S("file", path));
    } else if (secret && (st.st_mode & OTHERS) != 0) {
        return account_fail(r, member, err, "%s holds a secret and has the mode %03o, expected 600 or 400", path,
                            (unsigned)(st.st_mode & 0777));
    }
    bool read_all = read_whole(fd, out);
    int why = errno;
    if (read_all && !out->overflow) {
        return RC_OK;
    }
    bool overflow = out->overflow;
    account_wipe(out);
    return overflow ? account_fail(r, member, err, "%s has more than %zu bytes", path, ACCOUNT_FILE_BYTES_MAX)
                    : account_fail(r, member, err, "%s: %s", path, strerror(why));
}

size_t account_line(const struct buf *text)
{
    size_t n = text->len;
    n -= n > 0 && text->data[n - 1] == '\n';
    n -= n > 0 && text->data[n - 1] == '\r';
    return n;
}

void account_wipe(struct buf *text)
{
    if (text->data != NULL) {
        OPENSSL_cleanse(text->data, text->cap);
    }
    buf_clear(text);
}

/* -------------------------------------------------------------------------------------------------------- keys */

enum rc account_private_key(struct account_reader *r, const char *member, const char *path, struct rsa_key **out_key,
                            struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    TRY(account_file(r, member, path, true, &text, err));
    enum rc rc = rsa_read_private(buf_str(&text), text.len, out_key, err);
    account_wipe(&text);
    return rc == RC_OK ? RC_OK : account_wrap(r, member, path, err);
}

enum rc account_rsa(const struct account_reader *r, const struct buf *text, struct rsa_key **out_key,
                    struct rsa_certificate *out_cert, struct err *err)
{
    return r->lenient ? rsa_read_public_weak(buf_str(text), text->len, out_key, out_cert, err)
                      : rsa_read_public(buf_str(text), text->len, out_key, out_cert, err);
}

enum rc account_public_key(struct account_reader *r, const char *member, const char *path, struct rsa_key **out_key,
                           struct rsa_certificate *out_cert, struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    TRY(account_file(r, member, path, false, &text, err));
    enum rc rc = account_rsa(r, &text, out_key, out_cert, err);
    return rc == RC_OK ? RC_OK : account_wrap(r, member, path, err);
}

/* ---------------------------------------------------------------------------------------------------- findings */

void account_check_until(const struct account *account, const char *member, int64_t until_s, int64_t now_s,
                         account_finding_fn say, void *opaque)
{
    char text[PROBLEM_FIELD_MAX + 64];
    if (now_s >= until_s) {
        (void)snprintf(text, sizeof text, "%s: the certificate has expired", member);
        say(opaque, account, true, text);
    } else if (until_s - now_s < SOON_S) {
        (void)snprintf(text, sizeof text, "%s: the certificate expires in %lld days", member,
                       (long long)((until_s - now_s) / DAY_S));
        say(opaque, account, false, text);
    }
}
