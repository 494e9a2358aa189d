/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/wechat_store.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/option.h"
#include "crypto/aes_gcm.h"
#include "crypto/sha256.h"
#include "http/field.h"

#define SEAL "hmac-sha256 "
#define SEAL_CHARS (sizeof SEAL - 1 + 2 * SHA256_BYTES + 1) /* with its newline */

static void closep(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static void path_of(const struct wechat_store *store, const char *end, char out[STORE_PATH_MAX])
{
    (void)snprintf(out, STORE_PATH_MAX, "%s/wechat-%s%s", store->directory, store->mchid, end);
}

/* The line that stands before text. */
static void seal(const struct wechat_store *store, const char *text, size_t n, char out[SEAL_CHARS + 1])
{
    unsigned char mac[SHA256_BYTES];
    unsigned int mac_n = 0;
    if (HMAC(EVP_sha256(), store->apiv3_key, AES_GCM_KEY_BYTES, (const unsigned char *)text, n, mac, &mac_n) == NULL) {
        OPENSSL_die("no HMAC-SHA256", __FILE__, __LINE__);
    }
    memcpy(out, SEAL, sizeof SEAL - 1);
    sha256_hex(mac, sizeof mac, out + sizeof SEAL - 1);
    memcpy(out + SEAL_CHARS - 1, "\n", 2);
}

/* ---------------------------------------------------------------------------------------------------- reading */

/* *out_fd is -1 when there is no file. */
static enum rc open_file(const char *path, int *out_fd, struct err *err)
{
    struct stat st;
    *out_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (*out_fd < 0 && errno == ENOENT) {
        return RC_OK;
    }
    if (*out_fd < 0 || fstat(*out_fd, &st) != 0) {
        FAIL(err, RC_REJECT, "%s: %s", path, errno == ELOOP ? "is a link, expected a file" : strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        FAIL(err, RC_REJECT, "%s: expected a file", path);
    }
    if (st.st_uid != geteuid()) {
        FAIL(err, RC_REJECT, "%s: belongs to another user", path);
    }
    if ((st.st_mode & 077) != 0) {
        FAIL(err, RC_REJECT, "%s: may be read or written by others (mode %04o), expected 0600", path,
             (unsigned)(st.st_mode & 07777));
    }
    return RC_OK;
}

static enum rc read_file(const char *path, int fd, struct buf *out, struct err *err)
{
    char piece[4096];
    for (;;) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n == 0) {
            return RC_OK;
        }
        if (n < 0 && errno != EINTR) {
            FAIL(err, RC_REJECT, "%s: %s", path, strerror(errno));
        }
        if (n > 0 && !buf_add(out, piece, (size_t)n)) {
            FAIL(err, RC_REJECT, "%s: has more than %zu bytes", path, out->max);
        }
    }
}

static enum rc check_seal(const struct wechat_store *store, const char *path, const struct buf *text, struct err *err)
{
    char want[SEAL_CHARS + 1];
    bool same = text->len > SEAL_CHARS;
    if (same) {
        seal(store, text->data + SEAL_CHARS, text->len - SEAL_CHARS, want);
        same = CRYPTO_memcmp(want, text->data, SEAL_CHARS) == 0;
    }
    if (!same) {
        FAIL(err, RC_REJECT,
             "%s: not written with this account's APIv3 key, or changed since; remove it and it is made anew", path);
    }
    return RC_OK;
}

static enum rc take_one(struct body_value *value, const struct cert_roots *roots, int64_t now_s,
                        struct wechat_certs *out, struct err *err)
{
    struct problem problem = {0};
    struct fields f;
    int64_t seen_s = 0;
    bool listed = false;
    fields_begin(&f, value, "", &problem);
    const char *serial = field_text(&f, "serial_no", FIELD_REQUIRED, CERT_SERIAL_MAX, NULL, "a serial number");
    struct body_value *pem = field_find(&f, "certificate", FIELD_REQUIRED);
    (void)field_int(&f, "seen_s", FIELD_REQUIRED, 0, INT64_MAX, &seen_s);
    (void)field_bool(&f, "listed", FIELD_REQUIRED, &listed);
    if (problem.status != 0 || pem->type != BODY_STRING) {
        FAIL(err, RC_REJECT, "%s: %s", problem.field, problem.status == 0 ? "expected a certificate" : problem.detail);
    }
    if (out->n == CERTS_MAX || wechat_certs_find(out, serial) != NULL) {
        FAIL(err, RC_REJECT, "certificate %.64s: twice, or more than %d", serial, CERTS_MAX);
    }
    if (wechat_cert_read(pem->text, pem->n, serial, roots, now_s, &out->all[out->n], err) != RC_OK) {
        return err_prefix(err, "certificate %.64s", serial);
    }
    out->all[out->n].seen_s = seen_s;
    out->all[out->n].listed = listed;
    out->n++;
    return RC_OK;
}

static enum rc parse(const struct wechat_store *store, const struct cert_roots *roots, int64_t now_s,
                     const struct buf *text, struct arena *arena, struct wechat_certs *out, size_t *out_bad,
                     struct err *err)
{
    struct problem problem = {0};
    struct body_value *root = NULL;
    struct fields f;
    if (body_parse(text->data + SEAL_CHARS, text->len - SEAL_CHARS, arena, &root, &problem) != RC_OK ||
        root->type != BODY_OBJECT) {
        FAIL(err, RC_REJECT, "expected an object");
    }
    fields_begin(&f, root, "", &problem);
    const char *mchid = field_text(&f, "mchid", FIELD_REQUIRED, 64, NULL, "a merchant's number");
    struct body_value *list = field_find(&f, "certificates", FIELD_REQUIRED);
    if (mchid == NULL || strcmp(mchid, store->mchid) != 0 || list == NULL || list->type != BODY_ARRAY) {
        FAIL(err, RC_REJECT, "expected the certificates of %s", store->mchid);
    }
    for (struct body_value *v = list->first; v != NULL; v = v->next) {
        struct err why = {0};
        enum rc rc = v->type == BODY_OBJECT ? take_one(v, roots, now_s, out, &why)
                                            : err_set(&why, RC_REJECT, __FILE__, __LINE__, "expected objects");
        if (rc != RC_OK) {
            *err = *out_bad == 0 ? why : *err;
            (*out_bad)++;
        }
    }
    return RC_OK;
}

enum rc wechat_store_read(const struct wechat_store *store, const struct cert_roots *roots, int64_t now_s,
                          struct wechat_certs *out, size_t *out_bad, struct err *err)
{
    char path[STORE_PATH_MAX];
    struct arena arena;
    CLEANUP(closep) int fd = -1;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, STORE_FILE_BYTES_MAX);
    *out_bad = 0;
    path_of(store, "", path);
    TRY(open_file(path, &fd, err));
    if (fd < 0) {
        return RC_OK;
    }
    TRY(read_file(path, fd, &text, err));
    TRY(check_seal(store, path, &text, err));
    arena_init(&arena, (size_t)64 << 10);
    enum rc rc = parse(store, roots, now_s, &text, &arena, out, out_bad, err);
    arena_done(&arena);
    if (rc != RC_OK || *out_bad > 0) {
        (void)err_prefix(err, "%s", path);
    }
    return rc;
}

/* ---------------------------------------------------------------------------------------------------- writing */

enum rc wechat_store_prepare(const char *directory, struct err *err)
{
    struct stat st;
    const char *why = NULL;
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        why = strerror(errno);
    } else if (stat(directory, &st) != 0 || !S_ISDIR(st.st_mode)) {
        why = "expected a directory";
    } else if ((st.st_mode & 022) != 0) {
        why = "others may write to it, expected mode 0700";
    } else if (access(directory, W_OK | X_OK) != 0) {
        why = "cannot be written to";
    }
    if (why == NULL) {
        return RC_OK;
    }
    (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "%s: %s", directory, why);
    return err_code(err, ERR_CONFIG);
}

static void print(const struct wechat_store *store, const struct wechat_certs *certs, struct buf *out)
{
    (void)buf_printf(out, "{\"mchid\": \"%s\", \"certificates\": [", store->mchid);
    for (size_t i = 0; i < certs->n; i++) {
        const struct wechat_cert *cert = &certs->all[i];
        CLEANUP(buf_done) struct buf pem;
        buf_init(&pem, 2 * CERT_PEM_MAX);
        wechat_cert_print(cert, &pem);
        (void)buf_printf(out, "%s{\"serial_no\": \"%s\", \"seen_s\": %lld, \"listed\": %s, \"certificate\": ",
                         i == 0 ? "" : ", ", cert->serial, (long long)cert->seen_s, cert->listed ? "true" : "false");
        (void)buf_json_string(out, buf_str(&pem), pem.len);
        (void)buf_putc(out, '}');
    }
    (void)buf_puts(out, "]}\n");
}

static bool write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        bytes += written > 0 ? written : 0;
        n -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* The whole content to a new file of nobody else's, on the disk. */
static bool write_new(const char *path, const char *head, const struct buf *text)
{
    (void)unlink(path); /* what a process that was killed has left */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return false;
    }
    bool good = fchmod(fd, 0600) == 0 && write_all(fd, head, strlen(head)) && write_all(fd, buf_str(text), text->len) &&
                fsync(fd) == 0;
    int why = errno;
    good = close(fd) == 0 && good;
    errno = why;
    return good;
}

static bool sync_directory(const char *path)
{
    CLEANUP(closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}

enum rc wechat_store_write(const struct wechat_store *store, const struct wechat_certs *certs, struct err *err)
{
    char path[STORE_PATH_MAX];
    char fresh[STORE_PATH_MAX];
    char end[32];
    char head[SEAL_CHARS + 1];
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, STORE_FILE_BYTES_MAX - SEAL_CHARS);
    print(store, certs, &text);
    if (text.overflow) {
        FAIL(err, RC_RETRY, "the certificates need more than %zu bytes", STORE_FILE_BYTES_MAX);
    }
    seal(store, buf_str(&text), text.len, head);
    (void)snprintf(end, sizeof end, ".new.%ld", (long)getpid());
    path_of(store, "", path);
    path_of(store, end, fresh);
    if (!write_new(fresh, head, &text) || rename(fresh, path) != 0 || !sync_directory(store->directory)) {
        int why = errno;
        (void)unlink(fresh);
        FAIL(err, RC_RETRY, "cannot write %s: %s", path, strerror(why));
    }
    return RC_OK;
}
