/* SPDX-License-Identifier: Apache-2.0 */
/* Reads files whole, up to a ceiling, and writes them. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES 16384

enum rc file_read(const char *path, struct buf *out, struct err *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    char piece[PIECE_BYTES];
    ssize_t n = fd < 0 ? -1 : read(fd, piece, sizeof piece);
    for (; n > 0 || (n < 0 && errno == EINTR); n = read(fd, piece, sizeof piece)) {
        if (n > 0 && !buf_add(out, piece, (size_t)n)) {
            break;
        }
    }
    int why = errno;
    if (fd >= 0 && !is_stdin) {
        (void)close(fd);
    }
    explicit_bzero(piece, sizeof piece);
    if (out->overflow) {
        FAIL(err, RC_FATAL, "%s has more than %zu bytes", path, out->max);
    }
    if (n < 0) {
        FAIL(err, RC_FATAL, "%s: %s", path, strerror(why));
    }
    return RC_OK;
}

static enum rc write_all(int fd, const char *path, const struct buf *text, struct err *err)
{
    size_t done = 0;
    while (done < text->len) {
        ssize_t n = write(fd, text->data + done, text->len - done);
        if (n < 0 && errno != EINTR) {
            FAIL(err, RC_FATAL, "%s: %s", path, strerror(errno));
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return RC_OK;
}

static enum rc write_file(const char *path, int flags, const struct buf *text, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    if (fd < 0) {
        FAIL(err, errno == EEXIST ? RC_REJECT : RC_FATAL, "%s: %s", path, strerror(errno));
    }
    enum rc rc = write_all(fd, path, text, err);
    if (close(fd) != 0 && rc == RC_OK) {
        FAIL(err, RC_FATAL, "%s: %s", path, strerror(errno));
    }
    return rc;
}

enum rc file_write(const char *path, const struct buf *text, struct err *err)
{
    return strcmp(path, "-") == 0 ? write_all(STDOUT_FILENO, "stdout", text, err)
                                  : write_file(path, O_TRUNC, text, err);
}

enum rc file_write_new(const char *path, const struct buf *text, struct err *err)
{
    return write_file(path, O_EXCL, text, err);
}
