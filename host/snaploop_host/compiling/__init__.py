"""ONNX to kmodel and the kmodel in Canaan's simulator, each in a child process, because nncase can abort the whole process.

Called by `training.job` inside the job process. Nothing here imports nncase but the two `*_child` modules.
"""
