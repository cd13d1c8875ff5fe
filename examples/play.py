# python3 play.py policy.onnx    (pip install onnxruntime gymnasium)    Discrete actions; else act with `mean`, clipped.
import sys
import gymnasium
import onnxruntime

policy = onnxruntime.InferenceSession(sys.argv[1])
env = gymnasium.make(policy.get_modelmeta().custom_metadata_map["anchorage.env"])
observation, score, done = env.reset(seed=1)[0], 0.0, False
while not done:
    logits, value = policy.run(["logits", "value"], {"observations": observation[None].astype("float32")})
    observation, reward, terminated, truncated, _ = env.step(logits[0].argmax())
    score, done = score + reward, terminated or truncated
print(f"return {score}")
