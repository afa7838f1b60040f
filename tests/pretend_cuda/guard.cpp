// What the C++ side of PyTorch's CPU build asks of "cuda" before a tensor, a generator or autograd may say that it is
// there: a device guard that does nothing, and hooks. No kernels: those come from Python (tensor.py).
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
namespace {
using namespace c10;
const Device CUDA_0(DeviceType::CUDA, 0);
const Stream ONLY(Stream::DEFAULT, CUDA_0);

struct Guard final : public impl::DeviceGuardImplInterface {
  DeviceType type() const override { return DeviceType::CUDA; }
  Device exchangeDevice(Device) const override { return CUDA_0; }
  Device getDevice() const override { return CUDA_0; }
  void setDevice(Device) const override {}
  void uncheckedSetDevice(Device) const noexcept override {}
  Stream getStream(Device) const override { return ONLY; }
  Stream getDefaultStream(Device) const override { return ONLY; }
  Stream exchangeStream(Stream) const override { return ONLY; }
  DeviceIndex deviceCount() const noexcept override { return 1; }
};

struct Generator final : public at::CPUGeneratorImpl {  // draws on the CPU, says that it is on cuda:0
  explicit Generator(uint64_t seed) : CPUGeneratorImpl(seed) {
    device_ = CUDA_0;
    key_set_ = DispatchKeySet(DispatchKey::CUDA);
  }
};

struct Hooks : public at::CUDAHooksInterface {
  explicit Hooks(at::CUDAHooksArgs) {}
  void init() const override {}
  bool isBuilt() const override { return true; }
  std::string showConfig() const override { return ""; }
  bool isAvailable() const override { return true; }
  bool hasCUDA() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  DeviceIndex deviceCount() const override { return 1; }
  DeviceIndex getCurrentDevice() const override { return 0; }
  Allocator* getPinnedMemoryAllocator() const override { return GetCPUAllocator(); }
  at::Generator getNewGenerator(DeviceIndex) const override { return at::make_generator<Generator>(default_rng_seed_val); }
};
}
namespace at {
using ::Hooks;
C10_REGISTER_CLASS(CUDAHooksRegistry, CUDAHooks, Hooks)
}
C10_REGISTER_GUARD_IMPL(CUDA, Guard)
