#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What R itself cannot do. */

void segfault(void) { *(volatile int *)0 = 1; }

void split(void) { fork(); }

void garbage(void) {
  DIR *folder = opendir("/proc/self/fd");
  struct dirent *entry;
  while ((entry = readdir(folder)) != NULL) {
    int fd = atoi(entry->d_name);
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode)) {
      for (int i = 0; i < 10; i++) {
        if (write(fd, "this is no frame at all", 23) < 0) break;
      }
    }
  }
  closedir(folder);
}
