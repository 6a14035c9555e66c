/* The limit: sha256 of every file below some roots, by processes that do nothing else.
 *
 *     cc -O2 -o limit limit.c -lcrypto
 *     ./limit PROCESSES OUTPUT ROOT...
 *
 * One process walks the trees; then so many are forked, take the files in batches from a counter
 * that they share, open, fstat, read and close each, and append lines "hash  path" to the output.
 * It follows no links, keeps no order, records nothing, and gives up at the first error.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 18, LINES_BYTES = 1 << 16, LARGEST_BATCH = 64, PATH_BYTES = 4096 };

static char **paths;
static size_t path_count, path_room;

static void remember(const char *path) {
    if (path_count == path_room) {
        path_room = path_room ? 2 * path_room : 1024;
        paths = realloc(paths, path_room * sizeof *paths);
        if (!paths) err(1, "realloc");
    }
    if (!(paths[path_count++] = strdup(path))) err(1, "strdup");
}

static void walk(const char *folder) {
    DIR *entries = opendir(folder);
    if (!entries) err(1, "%s", folder);
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        char path[PATH_BYTES];
        if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path)
            errx(1, "too long a path below %s", folder);
        if (entry->d_type == DT_DIR) walk(path);
        else if (entry->d_type == DT_REG) remember(path);
    }
    closedir(entries);
}

static void write_all(int output, const char *lines, size_t size) {
    /* Opened with O_APPEND: whole lines at a time, so that those of the others are left whole. */
    if (write(output, lines, size) != (ssize_t)size) err(1, "write");
}

static void hash_file(const char *path, EVP_MD_CTX *context, unsigned char *buffer, char *hex) {
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int digest_size;
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status)) err(1, "%s", path);
    if (!EVP_DigestInit_ex(context, NULL, NULL)) errx(1, "EVP_DigestInit_ex");
    for (off_t left = status.st_size; left > 0;) {
        ssize_t size = read(file, buffer, BUFFER_BYTES);
        if (size < 0) err(1, "%s", path);
        if (size == 0) break;
        EVP_DigestUpdate(context, buffer, (size_t)size);
        left -= size;
    }
    close(file);
    EVP_DigestFinal_ex(context, digest, &digest_size);
    for (unsigned int i = 0; i < digest_size; i++) {
        *hex++ = digits[digest[i] >> 4];
        *hex++ = digits[digest[i] & 15];
    }
    *hex = 0;
}

static void work(atomic_size_t *next, size_t batch, int output) {
    static unsigned char buffer[BUFFER_BYTES];
    static char lines[LINES_BYTES];
    size_t used = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL)) errx(1, "no sha256");
    for (size_t first; (first = atomic_fetch_add(next, batch)) < path_count;) {
        for (size_t i = first; i < first + batch && i < path_count; i++) {
            char hex[2 * EVP_MAX_MD_SIZE + 1];
            hash_file(paths[i], context, buffer, hex);
            if (used + PATH_BYTES + sizeof hex + 4 > LINES_BYTES) {
                write_all(output, lines, used);
                used = 0;
            }
            used += (size_t)sprintf(lines + used, "%s  %s\n", hex, paths[i]);
        }
    }
    write_all(output, lines, used);
}

int main(int count, char **arguments) {
    if (count < 4) errx(2, "usage: limit PROCESSES OUTPUT ROOT...");
    int processes = atoi(arguments[1]);
    if (processes < 1) errx(2, "at least one process");
    int output = open(arguments[2], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    if (output < 0) err(1, "%s", arguments[2]);
    for (int i = 3; i < count; i++) walk(arguments[i]);

    atomic_size_t *next = mmap(NULL, sizeof *next, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (next == MAP_FAILED) err(1, "mmap");
    atomic_init(next, 0);
    size_t share = path_count / ((size_t)processes * LARGEST_BATCH);
    size_t batch = share < 1 ? 1 : share > LARGEST_BATCH ? LARGEST_BATCH : share;
    for (int i = 0; i < processes; i++) {
        pid_t child = fork();
        if (child < 0) err(1, "fork");
        if (child == 0) {
            work(next, batch, output);
            _exit(0);
        }
    }
    int status, worst = 0;
    while (wait(&status) > 0) worst |= status;
    return worst ? 1 : 0;
}
