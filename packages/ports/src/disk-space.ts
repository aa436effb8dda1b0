/** Free space of the file system under the data directory, sampled by its owner at least every 5 s. */
export interface DiskSpace {
  freeBytes(): number;
  totalBytes(): number;
}
