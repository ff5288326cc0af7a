// A library as libnvidia-ml.so.1 is, of two GPUs; the second is an older one that knows less.

#include <cstdio>
#include <cstring>

namespace {
int devices[2];
int number_of(void* device) { return static_cast<int>(static_cast<int*>(device) - devices); }
}  // namespace

extern "C" {

int nvmlInit_v2() { return 0; }
int nvmlShutdown() { return 0; }
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = &devices[index];
  return 0;
}
int nvmlDeviceGetName(void*, char* name, unsigned size) {
  std::snprintf(name, size, "A Hopper");
  return 0;
}
int nvmlDeviceGetUUID(void* device, char* uuid, unsigned size) {
  std::snprintf(uuid, size, "GPU-%d", number_of(device));
  return 0;
}
int nvmlDeviceGetPciInfo_v3(void*, void* info) {
  std::strcpy(static_cast<char*>(info) + 16 + 5 * sizeof(unsigned), "0000:3B:00.0");
  return 0;
}
int nvmlDeviceGetClockInfo(void*, int type, unsigned* mhz) {
  *mhz = type == 1 ? 1980 : 2619;
  return 0;
}
int nvmlDeviceGetTemperature(void* device, int, unsigned* degrees) {
  *degrees = 40 + static_cast<unsigned>(number_of(device));
  return 0;
}
int nvmlDeviceGetPowerUsage(void*, unsigned* milliwatts) {
  *milliwatts = 123456;
  return 0;
}
int nvmlDeviceGetUtilizationRates(void*, unsigned* both) {
  both[0] = 97, both[1] = 31;
  return 0;
}
int nvmlDeviceGetMemoryInfo(void*, unsigned long long* memory) {
  memory[0] = 80ull << 30, memory[1] = 20ull << 30, memory[2] = 60ull << 30;
  return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
  static unsigned long long used = 0;
  if (number_of(device) == 1) return 3;  // not supported
  *millijoules = used += 1000;
  return 0;
}
// No encoder, decoder or violations: this driver does not export them.
}
